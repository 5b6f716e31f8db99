"""Conformance suite of backends."""

from __future__ import annotations

from pathlib import Path

from kernelwright.backends.base import Backend
from kernelwright.schema import Candidate, Origin


class BackendConformance:
    """The contract of a backend. Fixture of the subclass: `backend`."""

    def test_its_devices_are_known_and_timed_ones_are_among_them(self, backend: Backend) -> None:
        assert backend.name
        assert set(backend.timed_on) <= set(backend.devices) <= {"cpu", "cuda"}

    def test_its_toolchain_is_the_same_every_time(self, backend: Backend) -> None:
        assert backend.toolchain()
        assert backend.toolchain() == backend.toolchain()

    def test_it_is_there_or_says_why_not_and_what_to_do(self, backend: Backend) -> None:
        available = backend.availability()
        assert available.ok or (available.reason and available.hint)

    def test_environments_are_texts_by_name(self, backend: Backend, tmp_path: Path) -> None:
        origin = Origin(kind="user")
        candidate = Candidate(source="import torch\n", backend=backend.name, origin=origin)
        found = [backend.environment(candidate, tmp_path), *map(backend.variables, ("cpu", "cuda"))]
        pairs = [pair for one in found for pair in one.items()]
        assert all(isinstance(part, str) for pair in pairs for part in pair)

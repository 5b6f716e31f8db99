"""The `Backend` seam: what a language needs to be built, and what a model is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.schema import Candidate


class Availability(NamedTuple):
    """Whether a backend works here; `reason` and `hint` say why not."""

    ok: bool
    reason: str = ""
    hint: str = ""


class Backend(Protocol):
    """One way to write a candidate."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Kinds of device its candidates run on: `cpu`, `cuda`."""

    def availability(self) -> Availability:
        """Whether candidates can be built on this machine."""

    def toolchain(self) -> str:
        """What a build depends on besides the source; part of the build cache's key."""

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Environment for the building worker. May prepare shared files under `cache`."""

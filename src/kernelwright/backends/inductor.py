"""The `inductor` backend: torch.compile configurations. Real speedups, but no custom kernel."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from kernelwright.backends.base import Availability
from kernelwright.backends.cpp import Cpp, compiler_version
from kernelwright.schema import Candidate


class Inductor:
    """torch.compile with the default (inductor) compiler."""

    name = "inductor"
    devices = ("cpu", "cuda")

    def availability(self) -> Availability:
        """On a CPU inductor generates C++, so it needs the same compiler."""
        return Cpp().availability()

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"{compiler_version()} torch {version('torch')}"

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Nothing beyond what every worker gets."""
        return {}

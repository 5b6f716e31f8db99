"""The `inductor` backend: torch.compile configurations. Real speedups, but no custom kernel."""

from __future__ import annotations

from importlib.metadata import version

from kernelwright.backends.base import Availability, Language
from kernelwright.backends.cpp import Cpp, compiler_version


class Inductor(Language):
    """torch.compile with the default (inductor) compiler."""

    name = "inductor"

    def availability(self) -> Availability:
        """Return the availability of `cpp`: on a CPU inductor generates C++."""
        return Cpp().availability()

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"{compiler_version()} torch {version('torch')}"

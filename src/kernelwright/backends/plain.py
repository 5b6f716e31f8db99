"""The `torch` backend: a module rewritten in plain PyTorch. Nothing is built."""

from __future__ import annotations

from importlib.metadata import version

from kernelwright.backends.base import Availability, Language


class PlainTorch(Language):
    """Candidates in PyTorch's own operators only."""

    name = "torch"

    def availability(self) -> Availability:
        """Return that the backend is available: torch always is."""
        return Availability(True)

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"torch {version('torch')}"

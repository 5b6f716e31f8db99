"""The `torch` backend: a module rewritten in plain PyTorch. Nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from kernelwright.backends.base import Availability
from kernelwright.schema import Candidate


class PlainTorch:
    """PyTorch's own operators only."""

    name = "torch"
    devices = ("cpu", "cuda")

    def availability(self) -> Availability:
        """Always there."""
        return Availability(True)

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"torch {version('torch')}"

    def environment(self, candidate: Candidate, cache: Path) -> Mapping[str, str]:
        """Nothing beyond what every worker gets."""
        return {}

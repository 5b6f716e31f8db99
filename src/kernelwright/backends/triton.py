"""The `triton` backend: Triton kernels. Without a GPU, Triton's interpreter runs them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec

from kernelwright.backends.base import Availability, Language


class Triton(Language):
    """Triton (triton-lang.org)."""

    name = "triton"
    timed_on = ("cuda",)

    def availability(self) -> Availability:
        """See `Backend.availability`."""
        if find_spec("triton") is None:
            return Availability(False, "triton is not installed", "pip install triton")
        return Availability(True)

    def toolchain(self) -> str:
        """See `Backend.toolchain`."""
        return f"triton {version('triton')} torch {version('torch')}"

    def variables(self, device: str) -> Mapping[str, str]:
        """Return the variable that has Triton's interpreter run the kernels on a CPU."""
        return {"TRITON_INTERPRET": "1"} if device == "cpu" else {}

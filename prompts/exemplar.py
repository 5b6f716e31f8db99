"""The example of the craft that a coder is shown: a whole file for the task's operator class."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from kernelwright.prompts.library import CPP_KERNELS, Kernel, candidate_file, kernel_part
from kernelwright.prompts.triton_library import TRITON_KERNELS, triton_file, triton_part

MODEL = """
    class ModelNew(nn.Module):
        # __init__ as in the reference

        def forward(self, *inputs):
            return {name}(*inputs)  # with the parameters it needs
    """


def exemplar(category: str | None, backend: str = "cpp") -> str:
    """A complete example file for an operator class; the softmax one where there is none.

    Args:
        backend: empty text for one that has no kernel library.
    """
    if backend == "cpp":
        kernel = _of(category, CPP_KERNELS)
        return candidate_file(_title(kernel), [kernel_part(kernel, {})], _model(kernel))
    if backend == "triton":
        kernel = _of(category, TRITON_KERNELS)
        return triton_file(_title(kernel), [triton_part(kernel, {})], _model(kernel))
    return ""


def _of(category: str | None, kernels: Mapping[str, Kernel]) -> Kernel:
    return next((k for k in kernels.values() if k.category == category), kernels["softmax"])


def _title(kernel: Kernel) -> str:
    return f"Example: {kernel.name}."


def _model(kernel: Kernel) -> str:
    return textwrap.dedent(MODEL.format(name=kernel.name))

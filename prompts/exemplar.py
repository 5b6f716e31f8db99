"""The example of the craft that a coder is shown: a whole file for the task's operator class."""

from __future__ import annotations

import textwrap

from kernelwright.kernels.catalog import LIBRARIES
from kernelwright.kernels.library import Kernel

MODEL = """
    class ModelNew(nn.Module):
        # __init__ as in the reference

        def forward(self, *inputs):
            return {name}(*inputs)  # with the parameters it needs
    """


def exemplar(category: str | None, backend: str = "cpp") -> str:
    """Return a complete example file for an operator class; the softmax one where there is none.

    Args:
        backend: for one without a kernel library the text is empty.
    """
    library = LIBRARIES.get(backend)
    if library is None:
        return ""
    kernels = library.kernels
    kernel = next((k for k in kernels.values() if k.category == category), kernels["softmax"])
    return library.file(_title(kernel), [library.part(kernel, {})], _model(kernel))


def _title(kernel: Kernel) -> str:
    return f"Example: {kernel.name}."


def _model(kernel: Kernel) -> str:
    return textwrap.dedent(MODEL.format(name=kernel.name))

"""The example of the craft that a coder is shown: a whole file for the task's operator class."""

from __future__ import annotations

import textwrap

from kernelwright.kernels.catalog import LIBRARIES

MODEL = """
    class ModelNew(nn.Module):
        # __init__ as in the reference

        def forward(self, *inputs):
            return {name}(*inputs)  # with the parameters it needs
    """


def exemplar(category: str | None, backend: str = "cpp") -> str:
    """Return a complete example file for an operator class; empty where there is none for it.

    Args:
        backend: for one without a kernel library the text is empty.
    """
    library = LIBRARIES.get(backend)
    if library is None or category is None:
        return ""
    own = library.examples.get(category)
    kernel = own or next((k for k in library.kernels.values() if k.category == category), None)
    if kernel is None:
        return ""
    model = "" if own else textwrap.dedent(MODEL.format(name=kernel.name))
    return library.file(f"Example: {kernel.name}.", [library.part(kernel, {})], model)

"""The kernel library in Triton: the same wrappers as in C++, for GPUs.

A kernel is a Python file in `sources/triton`. Its tunables are constants at its top, named after
it (`SOFTMAX_WARPS`); the file has the first value of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kernelwright.kernels.library import Kernel, Library, Part, joined, text_of
from kernelwright.kernels.runtime import TRITON_RUNTIME
from kernelwright.schema import Scalar

WARPS = (8, 4, 16)

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel(
            "attention",
            "attention",
            {"QUERIES": (64, 128, 32), "KEYS": (32, 64), "WARPS": (8, 4), "STAGES": (2, 3)},
        ),
        Kernel("cross_entropy", "loss", {"BLOCK": (4096, 2048, 16384), "WARPS": WARPS}),
        Kernel("cumsum", "scan", {"BLOCK": (4096, 2048, 8192), "WARPS": WARPS}),
        Kernel("depthwise_conv2d", "convolution", {"BLOCK": (1024, 512, 4096), "WARPS": (4, 8, 2)}),
        Kernel("elementwise_chain", "elementwise", {"BLOCK": (1024, 2048, 512), "WARPS": (4, 8)}),
        Kernel(
            "int4_gemv",
            "quantized_matmul",
            {"OUTPUTS": (8, 4, 16), "BYTES": (128, 256, 64), "WARPS": (4, 8, 2)},
        ),
        Kernel("layer_norm", "normalization", {"WARPS": WARPS}),
        Kernel(
            "linear_gelu",
            "matmul",
            {
                "BLOCK_M": (128, 64),
                "BLOCK_N": (128, 64, 256),
                "BLOCK_K": (16, 32, 64),
                "WARPS": (8, 4),
                "STAGES": (3, 2, 4),
            },
        ),
        Kernel("rms_norm", "normalization", {"WARPS": WARPS}),
        Kernel("group_norm", "normalization", {"BLOCK": (4096, 2048, 8192), "WARPS": WARPS}),
        Kernel("rope", "position_embedding", {"ROWS": (8, 4, 16), "WARPS": (4, 8, 2)}),
        Kernel("softmax", "softmax", {"WARPS": WARPS}),
        Kernel("topk", "selection", {"BLOCK": (4096, 2048, 8192), "WARPS": WARPS}),
    )
}


def kernel_part(kernel: Kernel, tunables: Mapping[str, Scalar]) -> Part:
    """Return a library kernel with chosen tunables."""
    text = text_of(f"triton/{kernel.name}.py")
    for name, value in tunables.items():
        constant = f"{kernel.name.upper()}_{name}"
        text, count = re.subn(rf"(?m)^{constant} = \d+$", f"{constant} = {value}", text)
        assert count == 1, constant
    return Part(kernel.name, text)


def candidate_file(title: str, parts: Sequence[Part], model: str) -> str:
    """Return a candidate file: the runtime, the kernels, the module."""
    kernels = [part.source for part in parts]
    return joined([f'"""{title}"""\n', TRITON_RUNTIME.text, *kernels, model])


TRITON = Library("triton", "Triton kernels", KERNELS, kernel_part, candidate_file)

"""The kernel library in C++, for CPUs: each kernel is a C++ file and a Python wrapper.

Tunables are macros with a default (`#ifndef NAME`), so `#define` lines in front choose them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kernelwright.kernels.library import Kernel, Library, Part, bound_file, defined, text_of
from kernelwright.schema import Scalar

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("attention", "attention", {"QUERIES": (48, 24, 96), "KEYS": (128, 64, 256)}),
        Kernel("cross_entropy", "loss", {"UNROLL": (4, 2, 8), "CHUNK": (2048, 1024, 8192)}),
        Kernel("cumsum", "scan", {"PARALLEL_FROM": (16384, 65536)}),
        Kernel("depthwise_conv2d", "convolution", {"ROWS": (4, 2, 1)}),
        Kernel("elementwise_chain", "elementwise", {"PARALLEL_FROM": (16384, 65536)}),
        Kernel("int4_gemv", "quantized_matmul", {"TOKENS": (4, 1, 2, 8)}),
        Kernel("layer_norm", "normalization", {"UNROLL": (4, 2, 8)}),
        Kernel("linear_gelu", "matmul", {"BLOCK_M": (48, 24, 96), "BLOCK_N": (64, 32, 128)}),
        Kernel("rms_norm", "normalization", {"UNROLL": (4, 2, 8)}),
        Kernel("rope", "position_embedding", {"PARALLEL_FROM": (16384, 65536)}),
        Kernel("softmax", "softmax", {"UNROLL": (4, 2, 8)}),
        Kernel("topk", "selection", {"SLACK": (128, 32, 512)}),
    )
}


def kernel_part(kernel: Kernel, tunables: Mapping[str, Scalar]) -> Part:
    """Return a library kernel with chosen tunables."""
    code = text_of("cpp/common.h") + "\n" + text_of(f"cpp/{kernel.name}.cpp")
    return Part(kernel.name, defined(tunables) + code, text_of(f"cpp/{kernel.name}.py"))


KINDS = (("*", "p"), ("int64_t", "l"), ("double", "d"), ("float", "f"), ("int", "i"))


def signature(part: Part) -> str:
    """Return the argument kinds of the part's C function, for the loader's `compile_cpp`."""
    found = re.search(rf'extern "C" \w+ {part.name}\((.*?)\)', part.source, re.DOTALL)
    assert found is not None, part.name
    arguments = found.group(1).split(",")
    return "".join(next(kind for sign, kind in KINDS if sign in text) for text in arguments)


def candidate_file(title: str, parts: Sequence[Part], model: str) -> str:
    """Return a candidate file: the loader, each kernel with its wrapper, the module."""
    return bound_file(title, "cpp/loader.py", parts, _bind, model)


def _bind(part: Part, constant: str) -> str:
    return f'{part.name}_cpp = compile_cpp({constant}, "{part.name}", "{signature(part)}")'


CPP = Library("cpp", "Library kernels", KERNELS, kernel_part, candidate_file)


POINTWISE = """INLINE v8f apply({values}) {{
{body}
}}

extern "C" void {name}({parameters}, float* y, int64_t size, int64_t cols{periods}{numbers}) {{
  const int64_t rows = (size + cols - 1) / cols;
#pragma omp parallel for schedule(static) if (size >= 16384)
  for (int64_t row = 0; row < rows; ++row) {{
    const int64_t start = row * cols, count = std::min(cols, size - start);
{rows}
    float* out = y + start;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) store(out + i, apply({loads}));
    if (const int64_t rest = count - i; rest > 0) store_first(out + i, apply({tails}), rest);
  }}
}}
"""


def pointwise_source(
    name: str,
    values: str,
    body: str,
    operands: Sequence[tuple[str, str]],
    numbers: Sequence[str] = (),
) -> str:
    """Return the C++ of a generated elementwise kernel.

    Args:
        values: parameters of the function on eight lanes.
        body: its statements.
        operands: name and kind (`full`, `row`, `scalar`) of each tensor that is read.
        numbers: names of the numbers that come after them.
    """
    rows, loads, tails, periods = [], [], [], []
    for operand, kind in operands:
        local = f"r_{operand}"
        if kind == "scalar":
            periods.append(f", int64_t n_{operand}")
            rows.append(f"    const v8f {local} = splat({operand}[row % n_{operand}]);")
            loads.append(local)
            tails.append(local)
        else:
            offset = " + start" if kind == "full" else ""
            rows.append(f"    const float* {local} = {operand}{offset};")
            loads.append(f"load({local} + i)")
            tails.append(f"load_first({local} + i, rest)")
    text = POINTWISE.format(
        values=values,
        body=body,
        name=name,
        parameters=", ".join(f"const float* {operand}" for operand, _ in operands),
        periods="".join(periods),
        numbers="".join(f", float {number}" for number in numbers),
        rows="\n".join(rows),
        loads=", ".join([*loads, *numbers]),
        tails=", ".join([*tails, *numbers]),
    )
    return "\n".join([text_of("cpp/common.h"), text_of("cpp/pointwise.h"), text])

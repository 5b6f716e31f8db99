"""The kernel library in C++, for CPUs: each kernel is a C++ file and a Python wrapper.

Tunables are macros with a default (`#ifndef NAME`), so `#define` lines in front choose them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kernelwright.kernels.library import Kernel, Library, Part, bound_file, defined, text_of
from kernelwright.kernels.runtime import CPP_RUNTIME
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
        Kernel("layer_norm", "normalization", {"UNROLL": (4, 2, 8)}, ("moments.h",)),
        Kernel("linear_gelu", "matmul", {"BLOCK_M": (48, 24, 96), "BLOCK_N": (64, 32, 128)}),
        Kernel("rms_norm", "normalization", {"UNROLL": (4, 2, 8)}),
        Kernel("group_norm", "normalization", {"UNROLL": (4, 2, 8)}, ("moments.h",)),
        Kernel("rope", "position_embedding", {"PARALLEL_FROM": (16384, 65536)}),
        Kernel("softmax", "softmax", {"UNROLL": (4, 2, 8)}),
        Kernel("topk", "selection", {"SLACK": (128, 32, 512)}),
    )
}


def kernel_part(kernel: Kernel, tunables: Mapping[str, Scalar]) -> Part:
    """Return a library kernel with chosen tunables."""
    files = (*kernel.shared, f"{kernel.name}.cpp")
    code = "\n".join(text_of(f"cpp/{file}") for file in files)
    return Part(kernel.name, defined(tunables) + code, text_of(f"cpp/{kernel.name}.py"))


KINDS = (("*", "p"), ("int64_t", "l"), ("double", "d"), ("float", "f"), ("int", "i"))


def signature(part: Part) -> str:
    """Return the argument kinds of the part's C function, for the loader's `compile_cpp`."""
    found = re.search(rf'extern "C" \w+ {part.name}\((.*?)\)', part.source, re.DOTALL)
    assert found is not None, part.name
    arguments = found.group(1).split(",")
    return "".join(next(kind for sign, kind in KINDS if sign in text) for text in arguments)


def candidate_file(title: str, parts: Sequence[Part], model: str) -> str:
    """Return a candidate file: the runtime, each kernel with its wrapper, the module."""
    return bound_file(title, CPP_RUNTIME.text, parts, _bind, model)


def _bind(part: Part, constant: str) -> str:
    build = f'compile_cpp(HELPERS + {constant}, "{part.name}", "{signature(part)}")'
    return f"{part.name}_cpp = {build}"


EXAMPLES = {"matmul": Kernel("packed_linear", "matmul", {"ROWS": (48, 24, 96)})}
CPP = Library("cpp", "Library kernels", KERNELS, kernel_part, candidate_file, EXAMPLES)


class Read(NamedTuple):
    """How generated code reads one operand of a region: rows of `cols` elements, or of one."""

    name: str
    """Name of its value."""
    type: str
    """C++ type of its elements."""
    in_row: bool
    """Whether it has a value for each column; else one for the whole row."""
    terms: tuple[tuple[bool, bool], ...] | None
    """Terms of its row's place, from the index of the output's row: whether that is taken modulo a
    size, and divided before. None: its rows are the output's."""

    @property
    def value_type(self) -> str:
        """The type of eight values."""
        return "v8i" if self.type == "bool" else "v8f"

    def parameters(self) -> list[str]:
        """Return the names of the divisors, sizes and strides."""
        found = []
        for index, (is_cut, is_divided) in enumerate(self.terms or ()):
            own = [("d", is_divided), ("n", is_cut), ("t", True)]
            found += [f"{kind}_{self.name}_{index}" for kind, is_there in own if is_there]
        return found

    def place(self) -> str:
        """Return the place of its row."""
        if self.terms is None:
            return "start"
        terms = []
        for index, (is_cut, is_divided) in enumerate(self.terms):
            own = f"{self.name}_{index}"
            row = f"row / d_{own}" if is_divided else "row"
            terms.append(f"{f'({row} % n_{own})' if is_cut else f'({row})'} * t_{own}")
        return " + ".join(terms) or "0"


POINTWISE = """INLINE {result_lanes} apply({values}) {{
{body}
}}

extern "C" void {name}({parameters}, {result}* y, int64_t size, int64_t cols{sizes}{numbers}) {{
  const int64_t rows = (size + cols - 1) / cols;
#pragma omp parallel for schedule(static) if (size >= 16384)
  for (int64_t row = 0; row < rows; ++row) {{
    const int64_t start = row * cols, count = std::min(cols, size - start);
{rows}
    {result}* out = y + start;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) store(out + i, apply({loads}));
    if (const int64_t rest = count - i; rest > 0) store_first(out + i, apply({tails}), rest);
  }}
}}
"""


def pointwise_source(
    name: str, body: str, result: str, operands: Sequence[Read], numbers: Sequence[str] = ()
) -> str:
    """Return the C++ of a generated elementwise kernel.

    Args:
        body: statements on the operands' values and the numbers, on eight lanes.
        result: C++ type of the output's elements.
        operands: the tensors that are read.
        numbers: names of the numbers that come after them.
    """
    lanes = "v8i" if result == "bool" else "v8f"
    fields = _fields(operands, numbers)
    text = POINTWISE.format(name=name, body=body, result=result, result_lanes=lanes, **fields)
    return generated_source(text)


def _fields(operands: Sequence[Read], numbers: Sequence[str]) -> dict[str, str]:
    """Return what the templates of generated kernels hold about operands and numbers."""
    return {
        "values": ", ".join([*(f"{o.value_type} {o.name}" for o in operands),
                             *(f"float {number}" for number in numbers)]),
        "parameters": ", ".join(f"const {o.type}* p_{o.name}" for o in operands),
        "sizes": "".join(f", int64_t {size}" for o in operands for size in o.parameters()),
        "numbers": "".join(f", float {number}" for number in numbers),
        "rows": "\n".join(f"    {row_statement(operand)}" for operand in operands),
        "loads": ", ".join([*(_loaded(o, "load(r_{} + i)") for o in operands), *numbers]),
        "tails": ", ".join([*(_loaded(o, "load_first(r_{} + i, rest)") for o in operands),
                            *numbers]),
    }  # fmt: skip


def row_statement(operand: Read) -> str:
    """Return the statement that finds an operand's row, or its value for the whole row."""
    if operand.in_row:
        return f"const {operand.type}* r_{operand.name} = p_{operand.name} + {operand.place()};"
    value = f"spread(p_{operand.name} + {operand.place()})"
    return f"const {operand.value_type} r_{operand.name} = {value};"


def _loaded(operand: Read, load: str) -> str:
    return load.format(operand.name) if operand.in_row else f"r_{operand.name}"


def generated_source(text: str) -> str:
    """Return generated C++ with the code that it calls, but for the runtime's."""
    is_low = re.search(r"\b(bf16|half)\b", text) is not None
    files = (*(["low_precision.h"] if is_low else []), "pointwise.h")
    return "\n".join([*(text_of(f"cpp/{file}") for file in files), text])


REDUCTION = """INLINE v8f item({values}) {{
{body}
}}

extern "C" void {name}({parameters}, {results}, int64_t outer, int64_t n, int64_t inner{numbers}) {{
  constexpr int64_t start = 0;
{rows}
  const auto values = [=](int64_t i) __attribute__((always_inline)) {{ return item({loads}); }};
  const auto first = [=](int64_t i, int64_t rest) {{ return item({tails}); }};
{call}
}}
"""
REDUCE = """  const auto finish = [=](double total) {{ return static_cast<float>({finish}); }};
  if (inner == 1) reduce_rows<{operation}>(outer, n, y, values, first, finish);
  else reduce_columns<{operation}>(outer, n, inner, y, values, first, finish);"""
FIND = "  find_best(outer, n, inner, y, at, {greatest}, values, first);"


def reduction_source(
    name: str,
    body: str,
    operation: str,
    finish: str,
    result: str,
    operands: Sequence[Read],
    numbers: Sequence[str] = (),
) -> str:
    """Return the C++ of a generated reduction.

    Args:
        body: statements that return an item, from the operands' values and the numbers.
        operation: of `reduce.h`; `greatest` and `least` give the place too.
        finish: expression of a result, from `total` and `n`.
        result: C++ type of the results' elements.
        operands: the tensors that are read, all of one shape.
        numbers: names of the numbers that come after them.
    """
    finds = operation in ("greatest", "least")
    fields = _fields(operands, numbers)
    greatest = str(operation == "greatest").lower()
    call = REDUCE.format(finish=finish, operation=operation)
    text = REDUCTION.format(
        name=name,
        body=body,
        results=f"{result}* y, int64_t* at" if finds else f"{result}* y",
        call=FIND.format(greatest=greatest) if finds else call,
        **fields,
    )
    return generated_source(f"{text_of('cpp/reduce.h')}\n{text}")


SOFTMAX = """INLINE v8f item({values}) {{
{body}
}}

extern "C" void {name}({parameters}, float* out, int64_t outer, int64_t n, int64_t inner{sizes}{numbers}) {{
  const int64_t blocks = (inner + 63) / 64;
#pragma omp parallel for schedule(static) if (outer * n * inner >= 16384)
  for (int64_t job = 0; job < outer * blocks; ++job) {{
    const int64_t row = job / blocks, from = job % blocks * 64, start = row * n * inner + from;
{rows}
    const auto values = [=](int64_t i) __attribute__((always_inline)) {{ return item({loads}); }};
    const auto first = [=](int64_t i, int64_t rest) {{ return item({tails}); }};
    if (inner == 1) softmax_row<{is_log}>(out + start, n, values, first);
    else softmax_columns<{is_log}>(out + start, n, inner, std::min<int64_t>(64, inner - from), values, first);
  }}
}}
"""  # noqa: E501


def softmax_source(
    name: str, body: str, is_log: bool, operands: Sequence[Read], numbers: Sequence[str] = ()
) -> str:
    """Return the C++ of a softmax, or of its logarithm, over computed items.

    Args:
        body: statements that return an item, from the operands' values and the numbers.
        operands: the tensors that are read; over the last dimension they may repeat.
        numbers: names of the numbers that come after them.
    """
    fields = _fields(operands, numbers)
    text = SOFTMAX.format(name=name, body=body, is_log=str(is_log).lower(), **fields)
    return generated_source(f"{text_of('cpp/softmax.h')}\n{text}")

"""Generated C++ for a region of elementwise operations: one pass over memory.

The output is walked as rows of `cols` elements. Within a row an operand has a value for each column
or one for all. Its row is found from the index of the output's row, where it has not all of the
output's dimensions. Sizes are read at run time, and so are numbers that the caller gives or the
module holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from kernelwright.agents.offline.expressions import (
    C_TYPES,
    EXPRESSIONS,
    arguments,
    is_elementwise,
)
from kernelwright.agents.offline.graph import (
    Attribute,
    Graph,
    Node,
    PerChannel,
    Ref,
    attribute_path,
)
from kernelwright.agents.offline.kernel_rules import Found, KernelCall
from kernelwright.kernels.cpp import Read, pointwise_source
from kernelwright.kernels.library import Part

CHUNK = 4096
"""Columns where all operands have the output's shape."""
Tensor = Ref | PerChannel
Number = Ref | Attribute


class Operand(NamedTuple):
    """A tensor that the region reads."""

    tensor: Tensor
    dtype: str
    has: tuple[bool, ...]
    """For each dimension of the output, whether the operand has it; else it repeats there."""
    dims: int
    """Number of its own dimensions."""

    @property
    def is_full(self) -> bool:
        """Whether it has the output's shape."""
        return all(self.has)

    def groups(self, outer: int) -> list[tuple[int, int]]:
        """Return first and last of neighbouring dimensions that it has, of the first `outer`."""
        found: list[tuple[int, int]] = []
        for dim in range(outer):
            if not self.has[dim]:
                continue
            if found and found[-1][1] == dim - 1:
                found[-1] = found[-1][0], dim
            else:
                found.append((dim, dim))
        return found


class RegionLayout(NamedTuple):
    """The walk over the output."""

    operands: tuple[Operand, ...]
    numbers: tuple[Number, ...]
    """Numbers that are read at run time."""
    dims: int
    """Dimensions of the output."""
    trailing: int
    """Number of trailing dimensions that make a row; 0 where all operands are full."""


def find_region(graph: Graph, root: Node) -> tuple[Found, Part] | None:
    """Return the largest region that ends at `root`, as a generated kernel; None without one."""
    if not is_elementwise(graph, root) or not root.shape:
        return None
    covered = grown(graph, root, root.shape)
    layout = region_layout(graph, root.shape, covered)
    if layout is None or not layout.operands:
        return None
    name = f"fused_{root.name}"
    part = Part(name, _source(graph, root, covered, layout, name), _wrapper(layout, root, name))
    tensors = tuple(operand.tensor for operand in layout.operands)
    call = KernelCall((*tensors, *layout.numbers), (root.name,))
    return Found(name, call, frozenset(covered)), part


def grown(graph: Graph, root: Node, shape: tuple[int, ...]) -> set[str]:
    """Return `root` and the elementwise operations of a shape that nothing else needs."""
    covered = {root.name}
    for node in reversed(list(graph.nodes.values())):
        users = graph.users[node.name]
        is_inner = bool(users) and users <= covered and node.shape == shape
        if is_inner and is_elementwise(graph, node):
            covered.add(node.name)
    return covered


def region_layout(
    graph: Graph, shape: tuple[int, ...], covered: set[str], further: Sequence[Tensor] = ()
) -> RegionLayout | None:
    """Return how a region with an output of that shape is walked; None where it can't be.

    Args:
        further: tensors that are read besides those that the region needs.
    """
    given = [*further, *(a for name in covered for a in arguments(graph.nodes[name]))]
    numbers = {key(a): a for a in given if isinstance(a, Number) and graph.is_number(a)}
    tensors = {a for a in given if isinstance(a, Tensor) and not graph.is_number(a)}
    operands = []
    for tensor in sorted(tensors, key=key):
        node = graph[tensor.of if isinstance(tensor, PerChannel) else tensor]
        if isinstance(tensor, Ref) and tensor.name in covered:
            continue
        if node.shape is None or node.dtype not in C_TYPES:
            return None
        own = node.shape + (1,) * tensor.dims if isinstance(tensor, PerChannel) else node.shape
        first = len(shape) - len(own)
        has = tuple(d >= first and own[d - first] == size for d, size in enumerate(shape))
        operands.append(Operand(tensor, node.dtype, has, len(own)))
    return RegionLayout(
        tuple(sorted(operands, key=lambda operand: not operand.is_full)),
        tuple(number for _key, number in sorted(numbers.items())),
        len(shape),
        _trailing(operands, len(shape)),
    )


def key(value: Tensor | Number) -> str:
    """Return a name for a tensor or a number outside of the region."""
    if isinstance(value, Attribute):
        return attribute_path(value.name)
    return f"{value.of.name} per channel" if isinstance(value, PerChannel) else value.name


def _trailing(operands: list[Operand], dims: int) -> int:
    """Return the most dimensions of which each operand has all or none; 0 if all have all."""
    if all(operand.is_full for operand in operands):
        return 0
    return max(
        count
        for count in range(1, dims + 1)
        if all(len(set(operand.has[-count:])) == 1 for operand in operands)
    )


def local_names(layout: RegionLayout) -> dict[str, str]:
    """Return the C++ names of operands' values and numbers."""
    names = {key(operand.tensor): f"v{i}" for i, operand in enumerate(layout.operands)}
    return names | {key(number): f"s{i}" for i, number in enumerate(layout.numbers)}


def statements(graph: Graph, covered: set[str], names: dict[str, str]) -> list[str]:
    """Return C++ statements that compute a region's values; their names are added to `names`."""
    lines = []
    for node in graph.nodes.values():
        if node.name in covered:
            expression = EXPRESSIONS[node.target]
            given = [_text(graph, a, names, i in expression.masks)
                     for i, a in enumerate(arguments(node))]  # fmt: skip
            kind = "v8i" if expression.is_mask else "v8f"
            lines.append(f"  const {kind} n_{node.name} = {expression.text(*given)};")
            names[node.name] = f"n_{node.name}"
    return lines


def _text(graph: Graph, argument: Any, names: dict[str, str], is_mask: bool) -> str | None:
    if isinstance(argument, (Ref, Attribute, PerChannel)):
        name = names[key(argument)]
        is_bool = isinstance(argument, Ref) and graph[argument].dtype == "bool"
        return f"number({name})" if is_bool and not is_mask else name
    if isinstance(argument, (int, float)):
        if math.isfinite(argument):
            return f"{float(argument)!r}f"
        return {"inf": "INF", "-inf": "-INF"}.get(str(float(argument)), "(INF - INF)")
    return None if argument is None else str(argument)


def reads(layout: RegionLayout) -> list[Read]:
    """Return how generated C++ reads the operands."""
    outer = layout.dims - layout.trailing
    found = []
    for index, operand in enumerate(layout.operands):
        in_row = not layout.trailing or operand.has[-1]
        terms = None
        if layout.trailing and not (in_row and all(operand.has[:outer])):
            groups = operand.groups(outer)
            terms = tuple((first > 0, last < outer - 1) for first, last in groups)
        found.append(Read(f"v{index}", C_TYPES[operand.dtype], in_row, terms))
    return found


def _source(graph: Graph, root: Node, covered: set[str], layout: RegionLayout, name: str) -> str:
    lines = statements(graph, covered, local_names(layout))
    body = "\n".join([*lines, f"  return n_{root.name};"])
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    return pointwise_source(name, body, C_TYPES[str(root.dtype)], reads(layout), numbers)


def _wrapper(layout: RegionLayout, root: Node, name: str) -> str:
    names = [f"x{i}" for i in range(len(layout.operands))]
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    cols = f"max(shape[-{layout.trailing}:].numel(), 1)" if layout.trailing else str(CHUNK)
    lines = [
        f"def {name}({', '.join([*names, *numbers])}):",
        f'    """Elementwise operations that end in {root.target.split(".")[1]!r}, in one pass."""',
        *prepared(layout, names),
        f"    y = torch.empty(shape, dtype=torch.{root.dtype})",
        f"    cols = {cols}",
        f"    pointers = {', '.join(f'{n}.data_ptr()' for n in names)}, y.data_ptr()",
    ]
    sizes = ", ".join(["y.numel()", "cols", *row_terms(layout), *numbers])
    return "\n".join([*lines, f"    {name}_cpp(*pointers, {sizes})", "    return y", ""])


def prepared(layout: RegionLayout, names: list[str]) -> list[str]:
    """Return statements that make operands dense, set `shape`, and compare all shapes with it."""
    dense = [
        f"dense({name})" if o.dtype == "float32" else f"dense({name}, torch.{o.dtype})"
        for name, o in zip(names, layout.operands, strict=True)
    ]
    lines = [f"    {', '.join(names)} = {', '.join(dense)}"]
    if layout.operands[0].is_full:
        lines.append(f"    shape = {names[0]}.shape")
    else:
        shapes = ", ".join(f"{name}.shape" for name in names)
        lines.append(f"    shape = torch.broadcast_shapes({shapes})")
    checks = [
        f"{name}.shape == {_expected(operand)}"
        for name, operand in zip(names, layout.operands, strict=True)
    ]
    checks = [f"len(shape) == {layout.dims}", *checks[layout.operands[0].is_full :]]
    if len(checks) > 1:
        lines.append(f"    fits({' and '.join(checks)}, {', '.join(names)})")
    return lines


def _expected(operand: Operand) -> str:
    """Return the shape of an operand as code: sizes of the output, or 1."""
    if operand.is_full:
        return "shape"
    dims = len(operand.has)
    own = range(dims - operand.dims, dims)
    sizes = [f"shape[{dim}]" if operand.has[dim] else "1" for dim in own]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def row_terms(layout: RegionLayout) -> list[str]:
    """Return divisor, size and stride of each term of the operands' rows, as code."""
    outer = layout.dims - layout.trailing
    found = []
    for operand, read in zip(layout.operands, reads(layout), strict=True):
        if read.terms is None:
            continue
        groups = operand.groups(outer)
        for index, (first, last) in enumerate(groups):
            later = [_count(a, b + 1) for a, b in groups[index + 1 :]]
            stride = " * ".join([*later, *(["cols"] if read.in_row else [])]) or "1"
            if last < outer - 1:
                found.append(f"max({_count(last + 1, outer)}, 1)")
            if first > 0:
                found.append(f"max({_count(first, last + 1)}, 1)")
            found.append(stride)
    return found


def _count(first: int, end: int) -> str:
    """Return the product of some sizes of the output as code."""
    return f"shape[{first}]" if end == first + 1 else f"shape[{first}:{end}].numel()"

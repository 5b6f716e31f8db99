"""Generated C++ for a softmax, or its logarithm, over any dimension, of items that are computed."""

from __future__ import annotations

from kernelwright.agents.offline.graph import Graph, Node, Ref
from kernelwright.agents.offline.kernel_rules import Found, KernelCall, argument_of
from kernelwright.agents.offline.pointwise import (
    RegionLayout,
    grown,
    key,
    local_names,
    prepared,
    reads,
    region_layout,
    row_terms,
    statements,
)
from kernelwright.kernels.cpp import softmax_source
from kernelwright.kernels.library import Part

TARGETS = {
    "aten.softmax.int": False,
    "aten._softmax.default": False,
    "aten.log_softmax.int": True,
    "aten._log_softmax.default": True,
}
"""Operators, and whether the logarithm is wanted."""


def find_softmax(graph: Graph, root: Node) -> tuple[Found, Part] | None:
    """Return a generated kernel for the softmax at `root`; None where none is possible.

    A plain softmax over the last dimension is the library's.
    """
    x = root.args[0] if root.target in TARGETS else None
    shape = root.shape
    if not isinstance(x, Ref) or root.dtype != "float32" or not shape:
        return None
    dtype = argument_of(root, 2, "dtype", None) if root.target.endswith(".int") else None
    if dtype is not None:
        return None
    dim = root.args[1] % len(shape)
    layout, covered = _layout(graph, root, x, shape, dim)
    is_log = TARGETS[root.target]
    is_plain = covered == {root.name} and not is_log and dim == len(shape) - 1
    if layout is None or is_plain:
        return None
    name = f"generated_{root.name}"
    names = local_names(layout)
    lines = statements(graph, covered - {root.name}, names)
    item = names[x.name if x.name in covered else key(x)]
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    body = "\n".join([*lines, f"  return {item};"])
    part = Part(
        name,
        softmax_source(name, body, is_log, reads(layout), numbers),
        _wrapper(layout, name, dim, is_log, numbers),
    )
    call = KernelCall((*(o.tensor for o in layout.operands), *layout.numbers), (root.name,))
    return Found(name, call, frozenset(covered)), part


def _layout(
    graph: Graph, root: Node, x: Ref, shape: tuple[int, ...], dim: int
) -> tuple[RegionLayout | None, set[str]]:
    """Return the walk over the items and the operations that are computed on the way in."""
    is_last = dim == len(shape) - 1
    for covered in (grown(graph, root, shape), {root.name}):
        layout = region_layout(graph, shape, covered - {root.name}, [x])
        if layout is None or graph[x].dtype == "bool":
            continue
        if is_last:
            return layout._replace(trailing=1), covered
        if all(operand.is_full for operand in layout.operands):
            return layout, covered
    return None, set()


def _wrapper(layout: RegionLayout, name: str, dim: int, is_log: bool, numbers: list[str]) -> str:
    names = [f"x{i}" for i in range(len(layout.operands))]
    what = "The logarithm of softmax" if is_log else "Softmax"
    sizes = ", ".join(["outer, cols, inner", *row_terms(layout), *numbers])
    lines = [
        f"def {name}({', '.join([*names, *numbers])}):",
        f'    """{what} over dimension {dim} of what is computed from its operands."""',
        *prepared(layout, names),
        f"    fits(len(shape) == {layout.dims}, {names[0]})",
        f"    outer, cols, inner = shape[:{dim}].numel(), shape[{dim}], shape[{dim + 1}:].numel()",
        "    y = torch.empty(shape, dtype=torch.float32)",
        f"    pointers = {', '.join(f'{n}.data_ptr()' for n in names)}, y.data_ptr()",
        f"    {name}_cpp(*pointers, {sizes})",
        "    return y",
        "",
    ]
    return "\n".join(lines)

"""Generated C++ for a reduction over neighbouring dimensions, and what is computed before it.

The input is walked as [outer, n, inner], where n is what is reduced. Sizes are read at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kernelwright.agents.offline.expressions import C_TYPES
from kernelwright.agents.offline.graph import Graph, Node, Ref
from kernelwright.agents.offline.kernel_rules import Found, KernelCall, argument_of, items
from kernelwright.agents.offline.pointwise import (
    RegionLayout,
    grown,
    key,
    local_names,
    prepared,
    reads,
    region_layout,
    statements,
)
from kernelwright.kernels.cpp import Read, reduction_source
from kernelwright.kernels.library import Part


class Reduction(NamedTuple):
    """A reduction as C++."""

    operation: str
    """Operation of `reduce.h`; `greatest` or `least` where the place is wanted."""
    dims: tuple[int, ...] | None
    """Dimensions that are reduced; None: all."""
    keeps: bool
    """Whether they stay, with size 1."""
    item: str = "{0}"
    """Expression of an item, from the values of the node's tensors."""
    finish: str = "total"
    """Expression of the result, from `total` and the count `n`."""
    returns: tuple[str, ...] = ("values",)
    """Results of the node: `values`, `places`."""


Rule = Callable[[Node], Reduction | None]


def _over(operation: str, item: str = "{0}", finish: str = "total") -> Rule:
    """Return the rule of an operator with the arguments x, dims, keepdim."""

    def rule(node: Node) -> Reduction | None:
        if argument_of(node, 3, "dtype", None) is not None:
            return None
        dims = argument_of(node, 1, "dim", None)
        dims = (dims,) if isinstance(dims, int) else dims
        keeps = bool(argument_of(node, 2, "keepdim", False))
        return Reduction(operation, tuple(dims) if dims else None, keeps, item, finish)

    return rule


def _norm(node: Node) -> Reduction | None:
    order, dims = argument_of(node, 1, "ord", 2), argument_of(node, 2, "dim", None)
    keeps, dtype = argument_of(node, 3, "keepdim", False), argument_of(node, 4, "dtype", None)
    shapes = {1: ("absolute({0})", "total"), 2: ("{0} * {0}", "std::sqrt(total)")}
    if order not in shapes or dtype is not None:
        return None
    item, finish = shapes[order]
    return Reduction("Sum", tuple(dims) if dims else None, bool(keeps), item, finish)


def _loss(item: str, setting: str | None = None) -> Rule:
    """Return the rule of a loss with the arguments x, target, reduction, and perhaps a number."""

    def rule(node: Node) -> Reduction | None:
        finishes = {1: "total / n", 2: "total"}
        finish = finishes.get(argument_of(node, 2, "reduction", 1))
        number = argument_of(node, 3, setting, 1.0) if setting else None
        if finish is None or (setting and not (isinstance(number, (int, float)) and number > 0)):
            return None
        text = item.replace("{number}", f"{float(number)!r}f") if number is not None else item
        return Reduction("Sum", None, False, text, finish)

    return rule


def _best(operation: str, *returns: str) -> Rule:
    def rule(node: Node) -> Reduction | None:
        dim = argument_of(node, 1, "dim", None)
        keeps = bool(argument_of(node, 2, "keepdim", False))
        return Reduction(operation, None if dim is None else (dim,), keeps, returns=returns)

    return rule


DISTANCE = "absolute({0} - {1})"
RULES: dict[str, Rule] = {
    "aten.sum.default": _over("Sum"),
    "aten.sum.dim_IntList": _over("Sum"),
    "aten.mean.default": _over("Sum", finish="total / n"),
    "aten.mean.dim": _over("Sum", finish="total / n"),
    "aten.prod.default": _over("Product"),
    "aten.prod.dim_int": _over("Product"),
    "aten.amax.default": _over("Maximum"),
    "aten.amin.default": _over("Minimum"),
    "aten.max.default": _over("Maximum"),
    "aten.min.default": _over("Minimum"),
    "aten.linalg_vector_norm.default": _norm,
    "aten.max.dim": _best("greatest", "values", "places"),
    "aten.min.dim": _best("least", "values", "places"),
    "aten.argmax.default": _best("greatest", "places"),
    "aten.argmin.default": _best("least", "places"),
    "aten.mse_loss.default": _loss("({0} - {1}) * ({0} - {1})"),
    "aten.l1_loss.default": _loss(DISTANCE),
    "aten.smooth_l1_loss.default": _loss(f"huber({DISTANCE}, {{number}}) / {{number}}", "beta"),
    "aten.huber_loss.default": _loss(f"huber({DISTANCE}, {{number}})", "delta"),
}


def find_reduction(graph: Graph, root: Node) -> tuple[Found, Part] | None:
    """Return a generated kernel for the reduction at `root`; None where none is possible."""
    rule = RULES.get(root.target)
    found = rule(root) if rule else None
    tensors = [a for a in root.args if isinstance(a, Ref) and not graph.is_number(a)]
    if found is None or not tensors:
        return None
    shape, dtype = graph[tensors[0]].shape, graph[tensors[0]].dtype
    same = all(graph[t].shape == shape and graph[t].dtype == dtype for t in tensors)
    span = reduced_span(found.dims, len(shape)) if shape else None
    if span is None or shape is None or not same or dtype not in C_TYPES or dtype == "bool":
        return None
    covered = grown(graph, root, shape)
    layout = region_layout(graph, shape, covered - {root.name}, tensors)
    if layout is None or not all(operand.is_full for operand in layout.operands):
        covered, layout = {root.name}, region_layout(graph, shape, set(), tensors)
    if layout is None:
        return None
    name = f"reduced_{root.name}"
    places = found.returns == ("places",)
    results = items(graph, root, 2) if len(found.returns) == 2 else [root.name]
    source = _source(graph, covered - {root.name}, layout, found, tensors, name, dtype)
    part = Part(name, source, _wrapper(layout, root, found, span, name, None if places else dtype))
    call = KernelCall((*(o.tensor for o in layout.operands), *layout.numbers), tuple(results))
    return Found(name, call, frozenset(covered) | set(results)), part


def reduced_span(dims: Sequence[int] | None, count: int) -> tuple[int, int] | None:
    """Return first and end of the dimensions that are reduced; None where others lie between."""
    if dims is None:
        return 0, count
    own = sorted({dim % count for dim in dims})
    return (own[0], own[-1] + 1) if own[-1] - own[0] + 1 == len(own) else None


def _source(
    graph: Graph,
    covered: set[str],
    layout: RegionLayout,
    found: Reduction,
    tensors: Sequence[Ref],
    name: str,
    dtype: str,
) -> str:
    names = local_names(layout)
    names |= {t.name: names[key(t)] for t in tensors if t.name not in covered}
    lines = statements(graph, covered, names)
    item = found.item.format(*(names[t.name] for t in tensors))
    operands: list[Read] = reads(layout)
    return reduction_source(
        name=name,
        body="\n".join([*lines, f"  return {item};"]),
        operation=found.operation,
        finish=found.finish,
        result=C_TYPES[dtype],
        operands=operands,
        numbers=[f"s{i}" for i in range(len(layout.numbers))],
    )


def _wrapper(
    layout: RegionLayout,
    root: Node,
    found: Reduction,
    span: tuple[int, int],
    name: str,
    dtype: Any,
) -> str:
    names = [f"x{i}" for i in range(len(layout.operands))]
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    first, end = span
    kept = f"*shape[:{first}], {'1, ' * (end - first) if found.keeps else ''}*shape[{end}:]"
    results, pointers = [], []
    if found.operation in ("greatest", "least"):
        results = [
            f"    y = torch.empty(size, dtype=torch.{dtype})" if dtype else "    y = None",
            "    places = torch.empty(size, dtype=torch.int64)",
        ]
        pointers = ["pointer(y)", "places.data_ptr()"]
    else:
        results = [f"    y = torch.empty(size, dtype=torch.{root.dtype})"]
        pointers = ["y.data_ptr()"]
    returned = {"values": "y", "places": "places"}
    limits = "" if found.operation in ("Sum", "Product") else " and 0 < n < 2**31"
    lines = [
        f"def {name}({', '.join([*names, *numbers])}):",
        f'    """{root.target.split(".")[1]!r} over dimensions {first} to {end - 1}."""',
        *prepared(layout, names),
        f"    outer, n, inner = shape[:{first}].numel(), shape[{first}:{end}].numel(), "
        f"shape[{end}:].numel()",
        f"    fits(len(shape) == {layout.dims}{limits}, {names[0]})",
        f"    size = ({kept})" if kept.endswith(",") else f"    size = ({kept},)",
        *results,
        f"    pointers = {', '.join([*(f'{n}.data_ptr()' for n in names), *pointers])}",
        f"    {name}_cpp({', '.join(['*pointers', 'outer, n, inner', *numbers])})",
        f"    return {', '.join(returned[one] for one in found.returns)}",
        "",
    ]
    return "\n".join(lines)

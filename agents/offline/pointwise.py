"""Generated C++ for a region of elementwise operations: one pass over memory.

The output is walked as rows of `cols` elements. An operand is `full` (the output's shape), `row`
(its shape is the output's trailing dimensions: one value per column) or `scalar` (one value per
row, repeating: a channel, or a kept dimension). Sizes are read at run time, and so are numbers
that the caller gives or the module holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from kernelwright.agents.offline.graph import Attribute, Graph, Node, Ref, attribute_path
from kernelwright.agents.offline.kernel_rules import Found, KernelCall
from kernelwright.kernels.cpp import pointwise_source
from kernelwright.kernels.library import Part

Kind = Literal["full", "row", "scalar"]
CHUNK = 4096


def _call(name: str) -> Callable[..., str]:
    return lambda *arguments: f"{name}({', '.join(arguments)})"


def _binary(sign: str) -> Callable[..., str]:
    return lambda left, right: f"({left} {sign} {right})"


# ATen overload -> C++ expression of its arguments, all of them v8f or float literals.
EXPRESSIONS: dict[str, Callable[..., str]] = {
    "aten.add.Tensor": _binary("+"),
    "aten.add.Scalar": _binary("+"),
    "aten.sub.Tensor": _binary("-"),
    "aten.sub.Scalar": _binary("-"),
    "aten.mul.Tensor": _binary("*"),
    "aten.mul.Scalar": _binary("*"),
    "aten.div.Tensor": _binary("/"),
    "aten.div.Scalar": _binary("/"),
    "aten.neg.default": lambda x: f"(-{x})",
    "aten.abs.default": _call("absolute"),
    "aten.relu.default": _call("relu"),
    "aten.sigmoid.default": _call("sigmoid"),
    "aten.silu.default": _call("silu"),
    "aten.tanh.default": _call("tanh"),
    "aten.exp.default": _call("exp"),
    "aten.mish.default": _call("mish"),
    "aten.sqrt.default": _call("root"),
    "aten.rsqrt.default": lambda x: f"(1.0f / root({x}))",
    "aten.reciprocal.default": lambda x: f"(1.0f / {x})",
    "aten.hardswish.default": _call("hardswish"),
    "aten.hardsigmoid.default": _call("hardsigmoid"),
    "aten.gelu.default": lambda x, kind="none": f"{'gelu_tanh' if kind == 'tanh' else 'gelu'}({x})",
    "aten.leaky_relu.default": lambda x, slope="0.01f": f"leaky_relu({x}, {slope})",
    "aten.hardtanh.default": lambda x, low="-1.0f", high="1.0f": f"clamp({x}, {low}, {high})",
    "aten.clamp.default": lambda x, low=None, high=None: (
        f"clamp({x}, {low or '-INF'}, {high or 'INF'})"
    ),
    "aten.clamp_min.default": lambda x, low: f"clamp({x}, {low}, INF)",
    "aten.relu6.default": lambda x: f"clamp({x}, 0.0f, 6.0f)",
    "aten.pow.Tensor_Scalar": lambda x, power: f"({x} * {x})",
    "aten.square.default": lambda x: f"({x} * {x})",
}


class Operand(NamedTuple):
    """A tensor that the region reads."""

    ref: Ref
    kind: Kind
    shape: tuple[int, ...]
    """Its shape in the trace."""


Number = Ref | Attribute


class RegionLayout(NamedTuple):
    """The walk over the output."""

    operands: tuple[Operand, ...]
    numbers: tuple[Number, ...]
    """Numbers that are read at run time."""
    trailing: int
    """Number of trailing dimensions that make a row; 0 where all operands are full."""


def is_pointwise(node: Node) -> bool:
    """Whether generated code can compute this node."""
    if node.target not in EXPRESSIONS or node.dtype != "float32":
        return False
    if node.target == "aten.pow.Tensor_Scalar" and node.args[1] not in (2, 2.0):
        return False
    plain = not set(node.kwargs) - {"approximate"}
    tensors = [a for a in node.args if isinstance(a, Ref)]
    return plain and bool(tensors) and all(not isinstance(a, bool) for a in node.args)


def find_region(graph: Graph, root: Node) -> tuple[Found, Part] | None:
    """Return the largest region that ends at `root`, as a generated kernel; None without one."""
    if not is_pointwise(root):
        return None
    covered = _grow(graph, root)
    layout = _layout(graph, root, covered)
    if layout is None:
        return None
    name = f"fused_{root.name}"
    part = Part(name, _source(graph, root, covered, layout, name), _wrapper(layout, root, name))
    tensors = tuple(operand.ref for operand in layout.operands)
    call = KernelCall((*tensors, *layout.numbers), (root.name,))
    return Found(name, call, frozenset(covered)), part


def _grow(graph: Graph, root: Node) -> set[str]:
    covered = {root.name}
    for node in reversed(list(graph.nodes.values())):
        users = graph.users[node.name]
        if users and users <= covered and node.shape == root.shape and is_pointwise(node):
            covered.add(node.name)
    return covered


def _layout(graph: Graph, root: Node, covered: set[str]) -> RegionLayout | None:
    shape = root.shape
    if not shape:
        return None
    given = [a for name in covered for a in graph.nodes[name].args if isinstance(a, Number)]
    numbers = {_key(a): a for a in given if graph.is_number(a)}
    references = {a for a in given if isinstance(a, Ref) and not graph.is_number(a)}
    outside = sorted(r for r in references if r.name not in covered)
    shapes = [graph[r].shape for r in outside]
    if any(graph[r].dtype != "float32" for r in outside) or None in shapes:
        return None
    trailing = _trailing([s for s in shapes if s is not None], shape)
    if trailing is None:
        return None
    kinds = [_kind(s, shape, trailing) for s in shapes if s is not None]
    operands = tuple(
        Operand(ref, kind, graph[ref].shape or ())
        for ref, kind in zip(outside, kinds, strict=True)
        if kind is not None
    )
    if len(operands) != len(outside) or not any(o.kind == "full" for o in operands):
        return None
    return RegionLayout(
        tuple(sorted(operands, key=lambda o: o.kind != "full")),
        tuple(number for _key, number in sorted(numbers.items())),
        trailing,
    )


def _key(number: Number) -> str:
    return attribute_path(number.name) if isinstance(number, Attribute) else number.name


def _trailing(shapes: list[tuple[int, ...]], shape: tuple[int, ...]) -> int | None:
    """Return the dimensions in a row, from the first operand that is broadcast."""
    for small in shapes:
        if small == shape:
            continue
        padded = (1,) * (len(shape) - len(small)) + small
        ones = next((i for i, size in enumerate(reversed(padded)) if size != 1), len(padded))
        if ones:
            return ones
        return next((i for i, size in enumerate(reversed(padded)) if size == 1), len(padded))
    return 0


def _kind(small: tuple[int, ...], shape: tuple[int, ...], trailing: int) -> Kind | None:
    if small == shape:
        return "full"
    padded = (1,) * (len(shape) - len(small)) + small
    head, tail = padded[: len(shape) - trailing], padded[len(shape) - trailing :]
    if tail == shape[len(shape) - trailing :] and math.prod(head) == 1:
        return "row"
    # One value per row: the kept dimensions must be the last ones of the head.
    ones = next((i for i, size in enumerate(head) if size != 1), len(head))
    dense = head[ones:] == shape[ones : len(shape) - trailing]
    return "scalar" if math.prod(tail) == 1 and dense else None


def _source(graph: Graph, root: Node, covered: set[str], layout: RegionLayout, name: str) -> str:
    names = {o.ref.name: f"v{i}" for i, o in enumerate(layout.operands)}
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    names |= dict(zip(map(_key, layout.numbers), numbers, strict=True))
    lines = []
    for node in graph.nodes.values():
        if node.name in covered:
            lines.append(f"  const v8f n_{node.name} = {_expression(node, names)};")
            names[node.name] = f"n_{node.name}"
    values = ", ".join(
        [*(f"v8f v{i}" for i in range(len(layout.operands))), *(f"float {s}" for s in numbers)]
    )
    body = "\n".join([*lines, f"  return n_{root.name};"])
    operands = [(f"p{i}", o.kind) for i, o in enumerate(layout.operands)]
    return pointwise_source(name, values, body, operands, numbers)


def _expression(node: Node, names: dict[str, str]) -> str:
    arguments = [_text(argument, names) for argument in node.args]
    if node.kwargs.get("approximate"):
        arguments.append(str(node.kwargs["approximate"]))
    return EXPRESSIONS[node.target](*arguments)


def _text(argument: Any, names: dict[str, str]) -> str | None:
    if isinstance(argument, Number):
        return names[_key(argument)]
    if isinstance(argument, (int, float)):
        if math.isfinite(argument):
            return f"{float(argument)!r}f"
        return {"inf": "INF", "-inf": "-INF"}.get(str(float(argument)), "(INF - INF)")
    return None if argument is None else str(argument)


def _wrapper(layout: RegionLayout, root: Node, name: str) -> str:
    names = [f"x{i}" for i in range(len(layout.operands))]
    numbers = [f"s{i}" for i in range(len(layout.numbers))]
    dense = ", ".join(f"dense({n})" for n in names)
    if layout.trailing:
        cols = f"max(x0.shape[-{layout.trailing}:].numel(), 1)"
    else:
        cols = str(CHUNK)
    lines = [
        f"def {name}({', '.join([*names, *numbers])}):",
        f'    """Elementwise operations that end in {root.target.split(".")[1]!r}, in one pass."""',
        f"    {', '.join(names)} = {dense}",
        *_shape_checks(layout, root, names),
        "    y = torch.empty_like(x0)",
        f"    pointers = {', '.join(f'{n}.data_ptr()' for n in names)}, y.data_ptr()",
    ]
    periods = [f"{n}.numel()" for n, o in zip(names, layout.operands, strict=True)
               if o.kind == "scalar"]  # fmt: skip
    sizes = ", ".join(["y.numel()", cols, *periods, *numbers])
    return "\n".join([*lines, f"    {name}_cpp(*pointers, {sizes})", "    return y", ""])


def _shape_checks(layout: RegionLayout, root: Node, names: list[str]) -> list[str]:
    """Return the statement that compares the operands' shapes with that of the first, if any."""
    dims = len(root.shape or ())
    shapes = [
        "x0.shape" if o.kind == "full" else _expected_shape(o, dims, layout.trailing)
        for o in layout.operands
    ]
    checks = [f"{n}.shape == {s}" for n, s in zip(names[1:], shapes[1:], strict=True)]
    if not checks:
        return []
    return [f"    fits({' and '.join([f'x0.dim() == {dims}', *checks])}, {', '.join(names)})"]


def _expected_shape(operand: Operand, dims: int, trailing: int) -> str:
    """Return the shape of an operand that repeats, as code: sizes of x0, or 1."""
    own = len(operand.shape)
    sizes = []
    for place, size in zip(range(dims - own, dims), operand.shape, strict=True):
        in_row = place >= dims - trailing
        repeats = not in_row if operand.kind == "row" else in_row or size == 1
        sizes.append("1" if repeats else f"x0.shape[{place - dims}]")
    return f"({', '.join(sizes)}{',' if own == 1 else ''})"

"""An exported graph as statements of Python: one operator a line."""

from __future__ import annotations

import keyword
import math
import operator
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, MethodDescriptorType
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from kernelwright.errors import UsageError

INFIX: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.floordiv: "//",
    operator.truediv: "/",
    operator.mod: "%",
    operator.pow: "**",
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}
PREFIX: dict[Any, str] = {operator.neg: "-", operator.not_: "not "}
NAMESPACES: dict[str, Any] = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch._C._nn": torch._C._nn,
}
WITH_INDICES = frozenset({"index", "index_put", "index_put_"})
"""Operators whose names in torch take no list with None in it."""
# What they look at was settled by the export.
SETTLED = ("aten._assert_tensor_metadata.default",)
OPERATORS = ("aten", "prims")
NAMES = frozenset({"self", "torch", "nn", "math", "getattr", "ValueError", *keyword.kwlist})
"""Names that mean something else in the file."""


class Statements:
    """The statements of one graph.

    A value is deleted after its last use, as it is freed in the module.

    Args:
        module: the module of the graph; it holds the graphs within it.
        names: texts for the graph's placeholders.
        by_operators: call `torch.ops.aten.x` where torch has a name of its own, too.
    """

    def __init__(
        self, module: GraphModule, names: Mapping[str, str], by_operators: bool = False
    ) -> None:
        self.lines: list[str] = []
        self._by_operators = by_operators
        self._names: dict[Node, str] = {}
        self._variables: set[Node] = set()
        self._taken = {*NAMES, *names.values()}
        for node in module.graph.nodes:
            if node.op == "placeholder":
                self._names[node] = names.get(node.name, node.name)
        self._write(module, "")

    def text(self, value: Any) -> str:
        """Return an argument, or a result, as an expression. Raises UsageError for other types."""
        if isinstance(value, Node):
            return self._names[value]
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self.text, value))}]"
        if isinstance(value, float) and not math.isfinite(value):
            return "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"
        if isinstance(value, torch.device):
            return f"torch.device({str(value)!r})"
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            return repr(value)
        if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
            return repr(value)
        raise UsageError(f"an operator has an argument of type {type(value).__name__}")

    def _write(self, module: GraphModule, margin: str) -> None:
        last = _last_uses(module.graph)
        for node in module.graph.nodes:
            if node.op == "call_function":
                self.lines += (margin + line for line in self._call(module, node))
            if done := [self._names[one] for one in last.get(node, ()) if one in self._variables]:
                self.lines.append(f"{margin}del {', '.join(done)}")

    def _call(self, module: GraphModule, node: Node) -> Iterator[str]:
        if str(node.target) in SETTLED:
            return
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            yield from self._nested(module, node)
            return
        source = node.args[0] if node.args else None
        if node.target is torch.ops.aten.sym_size.int and _is_argument(source):
            self._names[node] = f"{self.text(source)}.shape[{node.args[1]}]"
            return
        text = self._expression(node)
        yield f"{self._variable(node)} = {text}" if node.users else text

    def _expression(self, node: Node) -> str:
        target = node.target
        given = [self.text(value) for value in node.args]
        given += [f"{name}={self.text(value)}" for name, value in node.kwargs.items()]
        if target in INFIX:
            return f" {INFIX[target]} ".join(given)
        if target in PREFIX:
            return f"{PREFIX[target]}{given[0]}"
        if target is operator.getitem:
            return f"{given[0]}[{given[1]}]"
        name = None if self._by_operators else _own_name(target)
        if name is None:
            return f"{_function(target)}({', '.join(given)})"
        if name.startswith("."):
            return f"{given[0]}{name}({', '.join(given[1:])})"
        return f"{name}({', '.join(given)})"

    def _nested(self, module: GraphModule, node: Node) -> Iterator[str]:
        """Yield the statements of a graph within this one, in its `with` statement."""
        name = node.target.name()  # type: ignore[union-attr]
        if name == "wrap_with_set_grad_enabled":
            (enabled, inner, *given), opening = node.args, "torch.set_grad_enabled({})"
            opening = opening.format(enabled)
        elif name == "wrap_with_autocast":
            kind, dtype, enabled, cache, inner, *given = node.args
            opening = f"torch.autocast({kind!r}, {dtype}, {enabled}, {cache})"
        else:
            raise UsageError(
                f"the module uses torch.ops.higher_order.{name}, which no task file holds",
                hint="optimize a part of the module without it",
            )
        part = getattr(module, str(inner.target))  # type: ignore[union-attr]
        placeholders = [one for one in part.graph.nodes if one.op == "placeholder"]
        for one, value in zip(placeholders, given, strict=True):
            self._names[one] = self.text(value)
        before, self.lines = self.lines, [f"with {opening}:"]
        self._write(part, "    ")
        results = self.text(part.graph.output_node().args[0])
        inside, self.lines = self.lines, before
        yield from [*inside, f"    {self._variable(node)} = {results}"]

    def _variable(self, node: Node) -> str:
        name = node.name
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._names[node] = name
        self._variables.add(node)
        return name


def _own_name(target: Any) -> str | None:
    """Return torch's own name of an ATen operator, `.x` for a method; None where there is none.

    A call through `torch.ops` takes microseconds more, which the module that was exported does not.
    """
    if not isinstance(target, torch._ops.OpOverload) or target.namespace != "aten":
        return None
    name, arguments = target._opname, target._schema.arguments
    # The names of losses in torch have another default for how they are reduced.
    if name in WITH_INDICES or any(argument.name == "reduction" for argument in arguments):
        return None
    for path, module in NAMESPACES.items():
        if isinstance(getattr(module, name, None), BuiltinFunctionType):
            return f"{path}.{name}"
    is_of_tensor = bool(arguments) and str(arguments[0].type) == "Tensor"
    is_method = isinstance(getattr(torch.Tensor, name, None), MethodDescriptorType)
    return f".{name}" if is_of_tensor and is_method else None


def _function(target: Any) -> str:
    """Return the text of an operator. Raises UsageError where torch alone does not have it."""
    if isinstance(target, torch._ops.OpOverload):
        if target.namespace in OPERATORS:
            return f"torch.ops.{target}"
        raise UsageError(
            f"the module uses the operator {target.namespace}::{target._opname}, which torch alone "
            "does not have",
            hint="optimize a part of the module without it",
        )
    name = str(getattr(target, "__name__", target))
    for prefix, module in (("operator", operator), ("math", math), ("torch", torch)):
        if getattr(module, name, None) is target:
            return f"{prefix}.{name}"
    raise UsageError(f"the exported graph calls {name}, which no task file holds")


def _is_argument(value: Any) -> bool:
    return isinstance(value, Node) and value.op == "placeholder"


def _last_uses(graph: Graph) -> dict[Node, list[Node]]:
    """Return the values that each node is the last to use; those that nothing uses end at once."""
    last: dict[Node, list[Node]] = {}
    seen: set[Node] = set()
    for node in reversed(list(graph.nodes)):
        for one in [*node.all_input_nodes, node]:
            if one.op == "call_function" and one not in seen:
                seen.add(one)
                if node.op != "output":
                    last.setdefault(node, []).append(one)
    return last

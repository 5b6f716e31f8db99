"""The statements of a `forward` that computes a traced graph: kernels, and ATen calls between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from kernelwright.agents.offline.graph import (
    GETITEM,
    SIZE_OPERATORS,
    Attribute,
    Code,
    Graph,
    Inverse,
    Node,
    PerChannel,
    Ref,
    Size,
    attribute_path,
    references,
    short,
)
from kernelwright.agents.offline.kernel_rules import Found

# Names in torch itself of ATen operators; a call through `torch.ops` takes some microseconds more.
METHODS = frozenset(
    "view reshape transpose permute expand unsqueeze squeeze flatten contiguous select chunk split "
    "unbind".split()
)
FUNCTIONS = {
    "linear": "torch.nn.functional.linear",
    **{
        name: f"torch.{name}"
        for name in (
            "matmul mm bmm addmm baddbmm conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
            "conv_transpose3d softmax cat stack add sub mul div embedding layer_norm group_norm "
            "batch_norm max_pool2d cumsum exp sqrt rsqrt tril triu"
        ).split()
    },
}


class Arguments(NamedTuple):
    """The arguments of a `forward`, without self."""

    names: tuple[str, ...]
    """Arguments that a call may give by place."""
    rest: str | None = None
    """Name of the tuple of all further ones."""

    def path(self, path: tuple[int | str, ...]) -> str:
        """Return code that reads a leaf of the arguments: an index, then keys."""
        index, *keys = path
        assert isinstance(index, int)
        if index >= len(self.names):
            index, keys = 0, [index - len(self.names), *keys]
            return "".join([str(self.rest), *(f"[{key!r}]" for key in keys)])
        return "".join([self.names[index], *(f"[{key!r}]" for key in keys)])


def forward_body(graph: Graph, arguments: Arguments, found: Mapping[str, Found]) -> list[str]:
    """Return the statements that compute a graph.

    Args:
        arguments: those of the `forward`.
        found: kernels, by the name of the node that they end at.
    """
    return _Body(graph, arguments, found).statements()


class _Body:
    """A renderer of the statements of `forward`."""

    def __init__(self, graph: Graph, arguments: Arguments, found: Mapping[str, Found]) -> None:
        self.graph = graph
        self.found = found
        self.hidden = set().union(*(f.covered for f in found.values()))
        self.names = {one.node: arguments.path(one.path) for one in graph.inputs}

    def statements(self) -> list[str]:
        lines: list[str] = []
        for node in self.graph.nodes.values():
            if node.attribute is not None:
                self.names[node.name] = attribute_path(node.attribute)
            elif node.constant is not None:
                elements, dtype = node.constant["elements"], node.constant["dtype"]
                value = self._render(elements)
                lines.append(f"{self._variable(node.name)} = torch.tensor({value}, dtype={dtype})")
            elif node.name in self.found:
                lines.append(self._kernel(self.found[node.name]))
            elif node.op == "call_function" and node.name not in self.hidden:
                lines.append(self._opaque(node))
        for name, buffer in self.graph.mutated.items():
            lines.append(f"{attribute_path(buffer)}.copy_({self.names[name]})")
        return [*lines, f"return {self._render(self.graph.results)}"]

    def _kernel(self, found: Found) -> str:
        arguments = ", ".join(self._render(a) for a in found.call.arguments)
        results = [self._variable(name) for name in found.call.results]
        return f"{', '.join(results)} = {found.kernel}({arguments})"

    def _variable(self, name: str) -> str:
        # Node names are those of operators, and so of the kernels' wrappers.
        self.names[name] = f"y_{name}"
        return self.names[name]

    def _opaque(self, node: Node) -> str:
        arguments = [self._render(a) for a in node.open_args]
        result = self._variable(node.name)
        if node.target == GETITEM:
            return f"{result} = {arguments[0]}[{arguments[1]}]"
        arguments += [f"{key}={self._render(value)}" for key, value in node.open_kwargs.items()]
        name = short(node.target).removeprefix("aten.")
        if name in METHODS:
            return f"{result} = {arguments[0]}.{name}({', '.join(arguments[1:])})"
        called = FUNCTIONS.get(name, f"torch.ops.{node.target}")
        return f"{result} = {called}({', '.join(arguments)})"

    def _render(self, value: Any) -> str:
        """Return an argument, or a nest of arguments, as code."""
        match value:
            case Ref(name):
                return self.names[name]
            case Attribute(name):
                return attribute_path(name)
            case Inverse(number):
                return f"1.0 / {self._render(number)}"
            case PerChannel(vector, dims):
                return f"{self._render(vector)}.view(-1{', 1' * dims})"
            case Code(text):
                return text
            case Size(name):
                return self._size(name)
            case list():
                return f"[{', '.join(map(self._render, value))}]"
            case tuple():
                return f"({', '.join(map(self._render, value))}{',' if len(value) == 1 else ''})"
            case dict():
                items = (f"{key!r}: {self._render(item)}" for key, item in value.items())
                return f"{{{', '.join(items)}}}"
        return literal(value)

    def _size(self, name: str) -> str:
        """Return a number that depends on sizes; that of the trace where it can't be read here."""
        target, args = self.graph.sizes[name]
        hidden = any(ref.name not in self.names for ref in references(args))
        if target not in SIZE_OPERATORS or hidden:
            return repr(self.graph.hints[name])
        return SIZE_OPERATORS[target].format(*map(self._render, args))


def literal(value: Any) -> str:
    """Return a plain value as code."""
    is_special = isinstance(value, float) and not math.isfinite(value)
    return f"float({str(value)!r})" if is_special else repr(value)

"""The traced graph of a reference, as the host sees it: plain data from a worker's trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Checks that export writes into the graph; they compute nothing.
ASSERTIONS = ("aten._assert_tensor_metadata.default",)


class Ref(NamedTuple):
    """A node's result, used as an argument."""

    name: str


class Attribute(NamedTuple):
    """A number that the module holds, used as an argument."""

    name: str


class Inverse(NamedTuple):
    """One divided by a number, used as an argument."""

    of: Ref | Attribute


class Node(NamedTuple):
    """One operation, input or parameter."""

    name: str
    op: str
    """`placeholder`, `call_function` or `output`."""
    target: str
    """`aten.softmax.int`, or the input's name."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...] | None
    dtype: str | None
    attribute: str | None
    """Dotted name in the module, for parameters and buffers."""


class Graph:
    """Nodes by name, in topological order."""

    def __init__(self, trace: Mapping[str, Any]) -> None:
        nodes = [n for n in map(_node, trace["nodes"]) if n.target not in ASSERTIONS]
        self.mutates = bool(trace["mutates"]) or bool(trace["constants"])
        self.nodes = {node.name: node for node in nodes if node.op != "output"}
        self.scalars: Mapping[str, float] = trace["scalars"]
        output = next(node for node in nodes if node.op == "output")
        self.outputs: tuple[Ref, ...] = tuple(_references(output.args))
        self.users: dict[str, set[str]] = {name: set() for name in self.nodes}
        for node in nodes:
            for reference in _references((node.args, node.kwargs)):
                self.users[reference.name].add(node.name)

    @property
    def inputs(self) -> list[Node]:
        """The forward arguments, in order."""
        nodes = self.nodes.values()
        return [n for n in nodes if n.op == "placeholder" and n.attribute is None]

    def scalar(self, value: float) -> float | Attribute:
        """Return the module's attribute of that value where there is exactly one, else the value.

        A literal in the graph holds for the traced sizes only; the attribute holds for all.
        """
        names = [name for name, own in self.scalars.items() if own == value]
        return Attribute(names[0]) if len(names) == 1 else value

    def is_number(self, value: Any) -> bool:
        """Return whether an argument is a number: a literal, the module's, or the caller's."""
        if isinstance(value, Ref):
            node = self[value]
            return node.op == "placeholder" and node.shape is None
        return isinstance(value, (int, float, Attribute))

    def __getitem__(self, reference: Ref) -> Node:
        return self.nodes[reference.name]


def attribute_path(dotted: str) -> str:
    """Return `net.0.weight` as code: `self.net[0].weight`."""
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in dotted.split(".")]
    return "self" + "".join(parts)


def _node(entry: Mapping[str, Any]) -> Node:
    shape = entry["shape"]
    return Node(
        name=entry["name"],
        op=entry["op"],
        target=entry["target"],
        args=tuple(_argument(argument) for argument in entry["args"]),
        kwargs={key: _argument(argument) for key, argument in entry["kwargs"].items()},
        shape=None if shape is None else tuple(shape),
        dtype=entry["dtype"],
        attribute=entry["attribute"],
    )


def _argument(argument: Any) -> Any:
    if isinstance(argument, dict):
        if "attribute" in argument:
            return Attribute(argument["attribute"])
        return Ref(argument["node"]) if "node" in argument else argument["text"]
    if isinstance(argument, list):
        return [_argument(item) for item in argument]
    return argument


def _references(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _references(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _references(item)

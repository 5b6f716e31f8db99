"""The traced graph of a reference, as the host sees it: plain data from a worker's trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

# Checks that export writes into the graph; they compute nothing.
ASSERTIONS = frozenset(
    {
        "aten._assert_tensor_metadata.default",
        "aten._assert_scalar.default",
        "aten.sym_constrain_range_for_size.default",
        "aten.sym_constrain_range.default",
    }
)
OVERLOAD = re.compile(r"(aten|prims)\.\w+\.\w+")
GETITEM = "<built-in function getitem>"
BROADCAST = "aten.broadcast_tensors.default"
SIZE_OPERATORS = {
    "<built-in function add>": "({} + {})",
    "<built-in function sub>": "({} - {})",
    "<built-in function mul>": "({} * {})",
    "<built-in function floordiv>": "({} // {})",
    "<built-in function truediv>": "({} / {})",
    "<built-in function mod>": "({} % {})",
    "<built-in function pow>": "({} ** {})",
    "<built-in function neg>": "(-{})",
    "aten.sym_size.int": "{}.shape[{}]",
    "aten.sym_numel.default": "{}.numel()",
}


class Ref(NamedTuple):
    """A node's result, used as an argument."""

    name: str


class Attribute(NamedTuple):
    """A number that the module holds, used as an argument."""

    name: str


class Inverse(NamedTuple):
    """One divided by a number, used as an argument."""

    of: Ref | Attribute


class PerChannel(NamedTuple):
    """A vector with a value for each channel, used as an argument beside [batch, channels, ...]."""

    of: Ref
    dims: int
    """Dimensions after that of the channels."""


class Code(NamedTuple):
    """An argument as Python code, like `torch.float32`."""

    text: str


class Size(NamedTuple):
    """A number that depends on the inputs' sizes, used as an argument."""

    name: str


class Unknown(NamedTuple):
    """An argument that can't be written down."""

    kind: str


class Node(NamedTuple):
    """One operation, input or parameter."""

    name: str
    op: str
    """`placeholder`, `call_function`, `get_attr` or `output`."""
    target: str
    """`aten.softmax.int`, or the input's name."""
    args: tuple[Any, ...]
    """Arguments; sizes are the traced ones."""
    kwargs: Mapping[str, Any]
    open_args: tuple[Any, ...]
    """The same, with `Size` where a number depends on sizes."""
    open_kwargs: Mapping[str, Any]
    shape: tuple[int, ...] | None
    dtype: str | None
    strides: tuple[int, ...] | None
    """As of the trace, in elements."""
    is_contiguous: bool
    attribute: str | None
    """Dotted name in the module, for parameters and buffers."""
    constant: Mapping[str, Any] | None
    """`elements` and `dtype` of a tensor that is made in the call."""


class Input(NamedTuple):
    """A leaf of the arguments."""

    node: str
    path: tuple[int | str, ...]
    """The argument's index, then keys into it."""


class Graph:
    """Nodes by name, in topological order, without those that only pass a tensor on.

    `problem` says why the graph can't be written down as a `forward`; None where it can.
    """

    sizes: Mapping[str, tuple[str, tuple[Any, ...]]]
    """Operator and arguments of numbers that depend on the inputs' sizes."""
    hints: Mapping[str, Any]
    """Their values in the trace."""
    results: Any
    """The nest that a call returns."""
    mutated: Mapping[str, str]
    """Names of buffers that a call changes, by the node that they become."""
    inputs: list[Input]
    problem: str | None

    def __init__(self, trace: Mapping[str, Any]) -> None:
        entries = [entry for entry in trace["nodes"] if entry["target"] not in ASSERTIONS]
        self.sizes = {
            entry["name"]: (entry["target"], tuple(_argument(a) for a in entry["args"]))
            for entry in entries
            if entry["size"] is not None
        }
        self.hints = {e["name"]: e["size"] for e in entries if e["size"] is not None}
        hints = self.hints
        nodes = [_node(entry, hints) for entry in entries if entry["name"] not in hints]
        self.scalars: Mapping[str, float] = trace["scalars"]
        self.results: Any = _nest(trace["outputs"], hints)
        self.mutated: Mapping[str, str] = trace["mutated"]
        kept = {ref.name for ref in references(self.results)} | set(self.mutated)
        self.nodes = _without_identities([n for n in nodes if n.op != "output"], kept)
        self.inputs = [
            Input(entry["node"], tuple(entry["path"]))
            for entry in trace["inputs"]
            if entry["path"] is not None
        ]
        self.problem = self._problem(trace)
        self.users: dict[str, set[str]] = {name: set() for name in self.nodes}
        for node in self.nodes.values():
            for reference in references((node.args, node.kwargs)):
                self.users[reference.name].add(node.name)
        for name in kept & self.nodes.keys():
            self.users[name].add("output")

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

    def _problem(self, trace: Mapping[str, Any]) -> str | None:
        if trace["changes_inputs"]:
            return "it changes its arguments"
        used = {ref.name for node in self.nodes.values() for ref in references(node.args)}
        if any(entry["path"] is None and entry["node"] in used for entry in trace["inputs"]):
            return "an argument is a nest of another kind than tuples, lists and dicts"
        unknown = next(_of_type((self.results,), Unknown), None)
        if unknown is not None:
            return f"it returns a {unknown.kind}"
        for node in self.nodes.values():
            unknown = next(_of_type((node.args, node.kwargs), Unknown), None)
            if unknown is not None:
                return f"of {short(node.target)} with a {unknown.kind}"
            if node.op == "placeholder" or node.target == GETITEM:
                continue
            if node.op != "call_function" or not OVERLOAD.fullmatch(node.target):
                return f"of {short(node.target)}"
        return None


def short(target: str) -> str:
    """Return an operator's name without its overload."""
    return target.rpartition(".")[0] if OVERLOAD.fullmatch(target) else target


def attribute_path(dotted: str) -> str:
    """Return `net.0.weight` as code: `self.net[0].weight`."""
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in dotted.split(".")]
    return "self" + "".join(parts)


def references(value: Any) -> Iterator[Ref]:
    """Yield the nodes in an argument, or in a nest of arguments."""
    for ref in _of_type(value, (Ref, PerChannel)):
        yield ref.of if isinstance(ref, PerChannel) else ref


def _of_type(value: Any, kinds: Any) -> Iterator[Any]:
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _of_type(item, kinds)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _of_type(item, kinds)


def _node(entry: Mapping[str, Any], hints: Mapping[str, Any]) -> Node:
    shape = entry["shape"]
    args, kwargs, kept = entry["args"], entry["kwargs"], dict.fromkeys(hints)
    return Node(
        name=entry["name"],
        op=entry["op"],
        target=entry["target"],
        args=tuple(_argument(a, hints) for a in args),
        kwargs={key: _argument(a, hints) for key, a in kwargs.items()},
        open_args=tuple(_argument(a, kept) for a in args),
        open_kwargs={key: _argument(a, kept) for key, a in kwargs.items()},
        shape=None if shape is None else tuple(shape),
        dtype=entry["dtype"],
        strides=None if entry["strides"] is None else tuple(entry["strides"]),
        is_contiguous=entry["contiguous"],
        attribute=entry["attribute"],
        constant=entry.get("constant"),
    )


def _argument(argument: Any, sizes: Mapping[str, Any] | None = None) -> Any:
    """Return an argument of the trace.

    Args:
        sizes: the number in place of a node that depends on sizes; None for `Size`.
    """
    if isinstance(argument, dict):
        if "attribute" in argument:
            return Attribute(argument["attribute"])
        if "code" in argument:
            return Code(argument["code"])
        if "unknown" in argument:
            return Unknown(argument["unknown"])
        name = argument["node"]
        if sizes is None or name not in sizes:
            return Ref(name)
        return Size(name) if sizes[name] is None else sizes[name]
    if isinstance(argument, list):
        return [_argument(item, sizes) for item in argument]
    return argument


def _nest(value: Any, hints: Mapping[str, Any]) -> Any:
    """Return the nest of the results, in Python's own containers."""
    if isinstance(value, dict):
        if "tuple" in value:
            return tuple(_nest(item, hints) for item in value["tuple"])
        if "list" in value:
            return [_nest(item, hints) for item in value["list"]]
        if "dict" in value:
            return {key: _nest(item, hints) for key, item in value["dict"]}
    return _argument(value, dict.fromkeys(hints))


def _same_type(node: Node, source: Node) -> bool:
    return node.dtype == source.dtype and set(node.kwargs) <= {"dtype"}


# Operators that pass their first argument on, by what must hold of them and of it.
IDENTITIES: dict[str, Callable[[Node, Node], bool]] = {
    "aten.dropout.default": lambda node, _: node.args[2] is False,
    "aten.feature_dropout.default": lambda node, _: node.args[2] is False,
    "aten.alpha_dropout.default": lambda node, _: node.args[2] is False,
    "aten.detach.default": lambda *_: True,
    "aten.alias.default": lambda *_: True,
    "aten.lift_fresh_copy.default": lambda *_: True,
    "aten.clone.default": lambda node, source: source.is_contiguous and not node.kwargs,
    "aten.contiguous.default": lambda node, source: source.is_contiguous and not node.kwargs,
    "aten.to.dtype": _same_type,
    "aten._to_copy.default": _same_type,
}


def _without_identities(nodes: list[Node], kept: set[str]) -> dict[str, Node]:
    """Return nodes by name; what a call returns stays, since it may not be one of its arguments."""
    found: dict[str, Node] = {}
    instead: dict[str, Ref] = {}
    for node in nodes:
        args, kwargs, open_args, open_kwargs = (
            replaced(part, instead)
            for part in (node.args, node.kwargs, node.open_args, node.open_kwargs)
        )
        node = node._replace(args=args, kwargs=kwargs, open_args=open_args, open_kwargs=open_kwargs)
        source = args[0] if args and isinstance(args[0], Ref) else None
        passed = _passed(node, found, source) if source and node.name not in kept else None
        if passed:
            instead[node.name] = passed
        else:
            found[node.name] = node
    used = {ref.name for node in found.values() for ref in references(node.args)}
    return {n: node for n, node in found.items() if n in used or node.target != BROADCAST}


def _passed(node: Node, nodes: Mapping[str, Node], source: Ref) -> Ref | None:
    """Return the node that an operation passes on; None where it computes something."""
    given = nodes[source.name]
    if node.target == GETITEM and given.target == BROADCAST:
        part = given.args[0][node.args[1]]
        return part if nodes[part.name].shape == node.shape else None
    passes = IDENTITIES.get(node.target)
    return source if passes and passes(node, given) else None


def replaced(value: Any, instead: Mapping[str, Ref]) -> Any:
    """Return an argument, or a nest of arguments, with other nodes in the place of some."""
    if isinstance(value, Ref):
        return instead.get(value.name, value)
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(replaced(item, instead) for item in value)
    if isinstance(value, Mapping):
        return {key: replaced(item, instead) for key, item in value.items()}
    return value

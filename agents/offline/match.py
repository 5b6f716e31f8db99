"""Matching expression patterns against a traced graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kernelwright.agents.offline.graph import Graph, Node, Ref

COMMUTES = frozenset({"aten.add.Tensor", "aten.mul.Tensor"})


class Var(NamedTuple):
    """A pattern that matches anything; the same name must match the same thing everywhere."""

    name: str


class Op:
    """A pattern that matches a call of one of the targets if its first arguments match.

    Args:
        targets: ATen overloads separated by `|`, without the `aten.` in front.
        bind: also bind the node itself to this name.
    """

    def __init__(self, targets: str, *args: Any, bind: str | None = None) -> None:
        self.targets = frozenset(f"aten.{target}" for target in targets.split("|"))
        self.args = args
        self.bind = bind


Pattern = Any
Bindings = dict[str, Any]


class Match(NamedTuple):
    """One way a pattern fits."""

    bindings: Bindings
    covered: frozenset[str]
    """Names of the nodes that the pattern explains."""


def match(graph: Graph, root: Node, pattern: Op) -> Match | None:
    """Return the first way `pattern` fits with its root at `root`; None when it does not."""
    return next(_match(graph, Ref(root.name), pattern, Match({}, frozenset())), None)


def _match(graph: Graph, value: Any, pattern: Pattern, so_far: Match) -> Iterator[Match]:
    if isinstance(pattern, Op):
        yield from _match_call(graph, value, pattern, so_far)
    elif isinstance(pattern, Var):
        bound = so_far.bindings.get(pattern.name, value)
        if bound == value:
            yield Match({**so_far.bindings, pattern.name: value}, so_far.covered)
    elif isinstance(pattern, list):
        if isinstance(value, list) and len(value) == len(pattern):
            yield from _match_all(graph, value, pattern, so_far)
    elif type(value) is type(pattern) and value == pattern:
        yield so_far


def _match_call(graph: Graph, value: Any, pattern: Op, so_far: Match) -> Iterator[Match]:
    if not isinstance(value, Ref):
        return
    node = graph[value]
    if node.target not in pattern.targets or len(node.args) < len(pattern.args):
        return
    bindings = {**so_far.bindings, pattern.bind: value} if pattern.bind else so_far.bindings
    within = Match(bindings, so_far.covered | {node.name})
    args = list(node.args[: len(pattern.args)])
    yield from _match_all(graph, args, pattern.args, within)
    if node.target in COMMUTES and len(args) == 2:
        yield from _match_all(graph, args[::-1], pattern.args, within)


def _match_all(graph: Graph, values: Any, patterns: Any, so_far: Match) -> Iterator[Match]:
    if not patterns:
        yield so_far
        return
    for partial in _match(graph, values[0], patterns[0], so_far):
        yield from _match_all(graph, values[1:], patterns[1:], partial)

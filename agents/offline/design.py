"""The plan of a file with kernels: which computes what of a traced graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kernelwright.agents.offline.forward_body import Arguments, forward_body
from kernelwright.agents.offline.graph import GETITEM, Graph, Node, short
from kernelwright.agents.offline.kernel_rules import Found, find
from kernelwright.agents.offline.pointwise import find_region
from kernelwright.agents.offline.reduction import find_reduction
from kernelwright.agents.offline.softmax import find_softmax
from kernelwright.kernels.cpp import CPP
from kernelwright.kernels.library import Library, Part

MOST_NAMED = 5
GENERATED = ("fused_", "reduced_", "generated_")
# Library kernels that torch has tuned ones for, so that leaving them out is worth an attempt.
RIVALS = ("linear_gelu", "attention", "depthwise_conv2d", "topk")


class NotCoveredError(Exception):
    """The error of a graph that kernels can't compute; its message says why."""


class Design(NamedTuple):
    """A plan to compute a graph with kernels."""

    library: Library
    parts: tuple[Part, ...]
    """Generated kernels."""
    kernels: tuple[str, ...]
    """Library kernels."""
    body: tuple[str, ...]
    """Statements of `forward`."""
    kinds: tuple[str, ...]
    """Kinds of kernels in it, each of which can be left out: first those that stand in for torch's
    tuned ones."""

    def tunables(self) -> dict[str, tuple[int, ...]]:
        """Return `kernel.NAME` -> values, for the tuner."""
        return {
            f"{name}.{own}": values
            for name in self.kernels
            for own, values in self.library.kernels[name].tunables.items()
        }


def design(
    graph: Graph, arguments: Arguments, library: Library = CPP, without: str | None = None
) -> Design:
    """Cover the graph with kernels; what none of them computes stays an ATen call.

    Args:
        arguments: those of the reference's `forward`.
        library: the kernels' own; C++ also has generated kernels.
        without: a kind of kernels that is left out.

    Raises:
        NotCoveredError: no kernel fits, or the graph can't be written down.
    """
    if graph.problem is not None:
        raise NotCoveredError(f"nothing, because {graph.problem}")
    found, parts = _cover(graph, library, without)
    if not found:
        raise NotCoveredError(f"nothing fits: {_operators(graph)}")
    body = forward_body(graph, arguments, found)
    kernels = sorted({f.kernel for f in found.values()} & set(library.kernels))
    kinds = {kind(place.kernel) for place in found.values()}
    ordered = [*(k for k in RIVALS if k in kinds), *sorted(kinds.difference(RIVALS))]
    return Design(library, tuple(parts), tuple(kernels), tuple(body), tuple(ordered))


def kind(kernel: str) -> str:
    """Return the kind of a kernel: its name in the library, or how it was generated."""
    return kernel.partition("_")[0] if kernel.startswith(GENERATED) else kernel


def _operators(graph: Graph) -> str:
    """Return the operators of a graph in words, the most frequent first."""
    calls = [node for node in graph.nodes.values() if node.op == "call_function"]
    names = Counter(short(n.target).removeprefix("aten.") for n in calls if n.target != GETITEM)
    shown = [name for name, _count in names.most_common(MOST_NAMED)]
    return ", ".join(shown) + (", and others" if len(names) > MOST_NAMED else "")


def _cover(
    graph: Graph, library: Library, without: str | None
) -> tuple[dict[str, Found], list[Part]]:
    """Return kernels by the name of the node they end at, outputs first, and generated parts."""
    found: dict[str, Found] = {}
    covered: set[str] = set()
    parts: list[Part] = []
    for node in reversed(list(graph.nodes.values())):
        if node.op != "call_function" or node.name in covered:
            continue
        for place, part in _places(graph, node, library):
            if not place.covered & covered and kind(place.kernel) != without:
                found[node.name] = place
                covered |= place.covered
                parts += [part] if part else []
                break
    return found, parts


def _places(graph: Graph, root: Node, library: Library) -> Iterator[tuple[Found, Part | None]]:
    """Yield the kernels that can end at `root`, with their text if they are generated."""
    # Before the library's own, which does not take in what is computed before a softmax.
    if library is CPP and (made := find_softmax(graph, root)):
        yield made
    place = find(graph, root)
    if place is not None and place.kernel in library.kernels:
        yield place, None
    for find_generated in (find_reduction, find_region) if library is CPP else ():
        if made := find_generated(graph, root):
            yield made

"""The tree of ideas in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kernelwright.agents.search.ideas import Node, tree
from kernelwright.report import format as fmt
from kernelwright.schema import Attempt


class IdeaLine(NamedTuple):
    """One idea."""

    name: str
    depth: int
    """Number of ideas above it: the code of each was gone on from."""
    text: str
    backend: str
    expected: str
    outcome: str
    """Its state, with the attempts that realised it."""

    @property
    def words(self) -> str:
        """The idea in one line, indented by its depth."""
        known = filter(None, (self.expected, self.backend))
        return f"{'  ' * self.depth}{self.name}: {self.outcome}: {'; '.join([self.text, *known])}"


def idea_lines(attempts: Sequence[Attempt]) -> list[IdeaLine]:
    """Return a task's ideas, each below the one whose code its planner was shown.

    There are none where no planner had any.
    """
    nodes = _nodes(attempts)
    names = {node.name for node in nodes}
    below: dict[str | None, list[Node]] = {}
    for node in nodes:
        below.setdefault(node.under if node.under in names else None, []).append(node)
    lines, left = [], [(node, 0) for node in reversed(below.get(None, []))]
    while left:
        node, depth = left.pop()
        lines.append(_line(node, depth))
        left += [(one, depth + 1) for one in reversed(below.get(node.name, []))]
    return lines


def idea_documents(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Return a task's ideas as JSON data; none where no planner had any."""
    return [
        {
            "name": node.name,
            "under": node.under,
            "state": node.state,
            "expected": node.expected,
            "attempts": [attempt.number for attempt in node.attempts],
            **node.card.model_dump(mode="json", exclude={"expected"}),
        }
        for node in _nodes(attempts)
    ]


def _nodes(attempts: Sequence[Attempt]) -> list[Node]:
    nodes = tree(attempts)
    return nodes if any(node.is_planners for node in nodes) else []


def _line(node: Node, depth: int) -> IdeaLine:
    return IdeaLine(
        name=node.name,
        depth=depth,
        text=node.card.text,
        backend=fmt.backend(node.card.backend) if node.card.backend else "",
        expected=f"{fmt.ratio(node.expected)} eager expected" if node.expected else "",
        outcome=_outcome(node),
    )


def _outcome(node: Node) -> str:
    numbers = ", ".join(str(attempt.number) for attempt in node.attempts)
    return f"{node.state} (attempt {numbers})" if numbers else node.state

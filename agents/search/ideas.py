"""The tree of ideas: what planners thought of, and what became of it.

Only the ideas are stored. What became of one is seen from the attempts that realised it; a repair
counts as its idea, so wrong code closes none.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from kernelwright.agents.search.lineage import ancestors, begun_with
from kernelwright.agents.search.ranking import eager_speedup
from kernelwright.agents.search.stopping import on_plateau
from kernelwright.schema import Attempt, IdeaCard, Move

State = Literal["open", "wrong code", "right but slower", "won"]
MOST_IDEAS = len(string.ascii_lowercase)
"""Most ideas of one planner's answer: each has a letter."""
MOST_STARTS = 2
"""Attempts, repairs not counted, after which a strategy leaves an idea with wrong code alone."""
WRONG_CODE = 0.5
"""Factor on an idea's promise for every attempt, repairs not counted, with wrong code alone."""


class Node(NamedTuple):
    """An idea in the tree."""

    name: str
    """Number of the attempt whose planner had it, and a letter; the number alone for the plan of
    an attempt without a planner's ideas."""
    card: IdeaCard
    state: State
    expected: float | None
    """Speedup over eager that the planner expected; None where it gave no figure."""
    under: str | None
    """Name of the idea whose code the planner was shown; None at the root."""
    attempts: tuple[Attempt, ...]
    """Attempts that realise it, repairs included, by index."""

    @property
    def is_planners(self) -> bool:
        """Whether a planner listed it, so that it can be chosen by its name."""
        return not self.name.isdigit()

    @property
    def starts(self) -> int:
        """Number of its attempts, repairs not counted."""
        return sum(attempt.move.operator != "repair" for attempt in self.attempts)

    @property
    def promise(self) -> float:
        """The expected speedup over eager, less for wrong code; 0 where none is known."""
        return (self.expected or 0.0) * WRONG_CODE**self.starts


def name_of(index: int, place: int) -> str:
    """Return the name of an idea by the index of its attempt and its place among the ideas."""
    return f"{index + 1}{string.ascii_lowercase[place]}"


def own_ideas(attempt: Attempt) -> dict[str, IdeaCard]:
    """Return the ideas of an attempt's own planner by name, in order."""
    return {name_of(attempt.index, place): card for place, card in enumerate(attempt.ideas)}


def idea_behind(attempts: Sequence[Attempt], attempt: Attempt) -> str:
    """Return the name of the idea that an attempt's code was first written for."""
    first = begun_with(attempts, attempt)
    if first.move.operator == "tune":  # other numbers for the same idea
        tuned = next(ancestors(attempts, first), None)
        return idea_behind(attempts, tuned) if tuned else str(first.number)
    return first.idea or str(first.number)


def tree(attempts: Sequence[Attempt]) -> list[Node]:
    """Return all ideas in the order in which they came up, above those that went on from them."""
    by_index = {attempt.index: attempt for attempt in attempts}
    realised: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.error is None:
            realised.setdefault(idea_behind(attempts, attempt), []).append(attempt)
    best_yet = set(_best_yet(attempts))
    nodes = []
    for attempt in attempts:
        parent = by_index.get(attempt.move.parent) if attempt.move.parent is not None else None
        before = (eager_speedup(parent) if parent else None) or 1.0
        for name, card in _cards(attempt):
            own = tuple(realised.get(name, ()))
            nodes.append(
                Node(
                    name=name,
                    card=card,
                    state=_state(own, best_yet),
                    expected=None if card.expected is None else card.expected * before,
                    under=idea_behind(attempts, parent) if parent else None,
                    attempts=own,
                )
            )
    return nodes


def waiting(attempts: Sequence[Attempt]) -> list[Node]:
    """Return planners' ideas that no right code was timed for, the most promising first."""
    nodes = [one for one in tree(attempts) if one.is_planners]
    left = [one for one in nodes if one.state in ("open", "wrong code")]
    return sorted(left, key=lambda one: -one.promise)


def with_ideas(moves: Sequence[Move], attempts: Sequence[Attempt]) -> list[Move]:
    """Return a round's moves; in a search that stands still every other one takes up an idea.

    The other half is for planners, which are then asked for more effort. An idea without a figure
    is left to them.
    """
    if not on_plateau(attempts):
        return list(moves)
    by_index = {attempt.index: attempt for attempt in attempts}
    repaired = {
        idea_behind(attempts, by_index[move.parent])
        for move in moves
        if move.operator == "repair" and move.parent is not None
    }
    ideas = iter(
        node.name
        for node in waiting(attempts)
        if node.promise > 0 and node.starts < MOST_STARTS and node.name not in repaired
    )
    return [
        _taking_up(move, ideas) if place % 2 == 0 else move
        for place, move in enumerate(moves, start=attempts[-1].index + 1)
    ]


def _taking_up(move: Move, ideas: Iterator[str]) -> Move:
    if move.operator not in ("fresh", "improve"):
        return move
    name = next(ideas, None)
    if name is None:
        return move
    return move.model_copy(update={"idea": name, "direction": ""})


def _cards(attempt: Attempt) -> Iterator[tuple[str, IdeaCard]]:
    """Yield the ideas that came up with an attempt, by name."""
    yield from own_ideas(attempt).items()
    is_planned = not attempt.move.is_free and attempt.move.operator != "repair"
    if attempt.idea is None and attempt.plan and is_planned:
        backend = attempt.candidate.backend if attempt.candidate else None
        yield str(attempt.number), IdeaCard(text=attempt.plan, backend=backend)


def _best_yet(attempts: Sequence[Attempt]) -> Iterator[int]:
    """Yield the indexes of attempts that were faster than all before them."""
    best = 0.0
    for attempt in attempts:
        speedup = eager_speedup(attempt) or 0.0
        if speedup > best:
            best = speedup
            yield attempt.index


def _state(own: Sequence[Attempt], best_yet: set[int]) -> State:
    if any(attempt.index in best_yet for attempt in own):
        return "won"
    if any(eager_speedup(attempt) is not None for attempt in own):
        return "right but slower"
    if not own or any(one.evaluation and one.evaluation.accepted for one in own):
        return "open"  # right code that can't be timed here says nothing either
    return "wrong code"

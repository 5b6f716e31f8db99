"""Scattered forest search: several trees, directions in words, insight shared between the trees
(Light et al. 2024)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from kernelwright.agents.search.ideas import with_ideas
from kernelwright.agents.search.ranking import best_attempt, eager_speedup, repairs
from kernelwright.prompts.hints import DIRECTIONS
from kernelwright.schema import Attempt, Move

TREES = 3
EXPLORATION = 0.5
"""Weight of what is little known, in logarithms of speedups (UCB1; Auer et al. 2002)."""


class Tried(NamedTuple):
    """The record of a direction or a tree so far."""

    times: int
    gain: float
    """Mean over the times; what failed gained nothing."""

    def worth(self, total: int) -> float:
        """Return the upper confidence bound; infinity for what was never tried."""
        if self.times == 0:
            return math.inf
        return self.gain + EXPLORATION * math.sqrt(math.log(total) / self.times)


class Scatter:
    """Several trees, each started in a direction of its own.

    After that the tree and the direction come next that promise most. What a direction gained
    counts in all trees.
    """

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        moves = repairs(attempts, count)
        waiting: dict[str, int] = defaultdict(int)
        while len(moves) < count:
            moves.append(self._next(attempts, moves, waiting, seed))
            waiting[moves[-1].direction] += 1
        return with_ideas(moves, attempts)

    def _next(
        self,
        attempts: Sequence[Attempt],
        moves: Sequence[Move],
        waiting: dict[str, int],
        seed: int,
    ) -> Move:
        roots = {a.move.island for a in attempts if a.move.operator == "fresh"}
        roots |= {move.island for move in moves if move.operator == "fresh"}
        direction = self._direction(attempts, waiting, seed)
        for tree in range(TREES):
            if tree not in roots:
                return Move(direction=direction, island=tree)
        best = self._best(attempts)
        if best is None:
            return Move(direction=direction, island=len(attempts) % TREES)
        tree, parent = best
        return Move(operator="improve", parent=parent.index, direction=direction, island=tree)

    def _direction(self, attempts: Sequence[Attempt], waiting: dict[str, int], seed: int) -> str:
        gains = _gains(attempts)
        total = 1 + len(attempts) + sum(waiting.values())

        def worth(place: int) -> float:
            own = gains[DIRECTIONS[place]]
            gain = sum(own) / len(own) if own else 0.0
            return Tried(len(own) + waiting[DIRECTIONS[place]], gain).worth(total)

        order = [(place + seed) % len(DIRECTIONS) for place in range(len(DIRECTIONS))]
        return DIRECTIONS[max(order, key=worth)]

    def _best(self, attempts: Sequence[Attempt]) -> tuple[int, Attempt] | None:
        """Return the tree that promises most, and its best attempt; seeds belong to every tree."""
        best = {
            tree: best_attempt([a for a in attempts if a.move.island in (tree, None)])
            for tree in range(TREES)
        }
        sizes = {tree: sum(a.move.island == tree for a in attempts) for tree in best}
        known = {tree: found for tree, found in best.items() if found is not None}
        if not known:
            return None

        def worth(tree: int) -> float:
            gain = math.log(eager_speedup(known[tree]) or 1.0)
            return Tried(sizes[tree], gain).worth(len(attempts))

        chosen = max(known, key=worth)
        return chosen, known[chosen]


def _gains(attempts: Sequence[Attempt]) -> defaultdict[str, list[float]]:
    """Return logarithms of what each direction gained over what it went on from."""
    speedups = {a.index: eager_speedup(a) for a in attempts}
    gains: defaultdict[str, list[float]] = defaultdict(list)
    for attempt in attempts:
        before = 1.0 if attempt.move.parent is None else speedups.get(attempt.move.parent)
        after = speedups[attempt.index]
        if attempt.move.direction:
            gain = math.log(after / before) if after and before else 0.0
            gains[attempt.move.direction].append(max(0.0, gain))
    return gains

"""Hill climbing: always from the best attempt, with repairs."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.ideas import with_ideas
from kernelwright.agents.search.ranking import best_attempt, repairs
from kernelwright.schema import Attempt, Move


class Greedy:
    """A strategy that repairs what has just failed, else changes the fastest accepted attempt."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        moves = repairs(attempts, count)
        best = best_attempt(attempts)
        move = Move() if best is None else Move(operator="improve", parent=best.index)
        return with_ideas(moves + [move] * (count - len(moves)), attempts)

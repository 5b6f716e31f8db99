"""Always from the best: hill climbing, with repairs."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.ranking import best_attempt, to_repair
from kernelwright.schema import Attempt, Move


class Greedy:
    """Repairs what has just failed, else changes the fastest accepted attempt."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        repairs = [
            Move(operator="repair", parent=failed.index) for failed in to_repair(attempts)[:count]
        ]
        best = best_attempt(attempts)
        move = Move() if best is None else Move(operator="improve", parent=best.index)
        return repairs + [move] * (count - len(repairs))

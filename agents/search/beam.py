"""Beam search over kernels and bottlenecks (KernelAgent; Autocomp, Hong et al. 2025)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kernelwright.agents.search.ideas import with_ideas
from kernelwright.agents.search.ranking import ranked, repairs
from kernelwright.schema import Attempt, Move

WIDTH = 3
"""Number of attempts that are gone on from."""
BOTTLENECKS = (
    "",
    "Leave what the diagnosis names to another attempt: attack what costs most after it.",
)
"""Each attempt is gone on from once with each of these, before any comes again."""


class Beam:
    """The WIDTH fastest attempts, each gone on from in several ways; least tried ways first."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        moves = repairs(attempts, count)
        beam = ranked(attempts)[:WIDTH]
        tried = Counter((a.move.parent, a.move.direction) for a in attempts)
        while len(moves) < count:
            moves.append(self._next(beam, tried))
            tried[moves[-1].parent, moves[-1].direction] += 1
        return with_ideas(moves, attempts)

    def _next(self, beam: Sequence[Attempt], tried: Counter[tuple[int | None, str]]) -> Move:
        ways = [(attempt.index, direction) for direction in BOTTLENECKS for attempt in beam]
        if not ways:
            return Move()
        parent, direction = min(ways, key=lambda way: tried[way])
        return Move(operator="improve", parent=parent, direction=direction)

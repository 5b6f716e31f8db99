"""Islands with an archive of the best of every kind (MAP-Elites; Mouret and Clune 2015)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from kernelwright.agents.search.features import features
from kernelwright.agents.search.ideas import with_ideas
from kernelwright.agents.search.ranking import best_attempt, ranked, repairs
from kernelwright.schema import Attempt, Move

ISLANDS = 3
ROOTS = 2
"""Fresh starts of an island."""
MIGRATION = 6
"""One in so many choices of an island looks at the next island's best."""
COMBINE, ELITE = 0.2, 0.3
"""Probabilities to combine two kinds, and to go on from a kind other than the best."""


class Evolve:
    """Islands that take turns; each goes on from its best, and now and then from other kinds."""

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`."""
        first = attempts[-1].index + 1 if attempts else 0
        moves = [self._move(attempts, index, seed) for index in range(first, first + count)]
        return with_ideas(moves, attempts)

    def _move(self, attempts: Sequence[Attempt], index: int, seed: int) -> Move:
        chance = random.Random(f"{seed}/{index}")
        island = index % ISLANDS
        own = [a for a in attempts if a.move.island in (island, None)]  # seeds have none
        failed = repairs(own, 1)
        if failed:
            return failed[0]
        if index // ISLANDS < ROOTS or not ranked(own):
            return Move(island=island)
        if chance.randrange(MIGRATION) == 0:
            own = self._with_guest(attempts, own, island)
        return self._within(archive(own), chance, island)

    def _with_guest(
        self, attempts: Sequence[Attempt], own: list[Attempt], island: int
    ) -> list[Attempt]:
        beside = (island + 1) % ISLANDS
        guest = best_attempt([a for a in attempts if a.move.island == beside])
        return own if guest is None else [*own, guest]

    def _within(self, elite: Sequence[Attempt], chance: random.Random, island: int) -> Move:
        parent, *others = elite
        what = chance.random()
        if others and what < COMBINE:
            other = chance.choice(others)
            return Move(
                operator="combine", parent=parent.index, others=(other.index,), island=island
            )
        if others and what < COMBINE + ELITE:
            parent = chance.choice(others)
        return Move(operator="improve", parent=parent.index, island=island)


def archive(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the fastest accepted attempt of each kind, fastest first."""
    kinds: dict[tuple[str, ...], Attempt] = {}
    for attempt in ranked(attempts):
        kinds.setdefault(features(attempt), attempt)
    return list(kinds.values())

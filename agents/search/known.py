"""A search that starts from what is known: files of `offline` first, and numbers without a call."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.agents.search.tuning import tuning_moves
from kernelwright.agents.tunables import Point
from kernelwright.schema import Attempt, Move, SearchSettings

SHARE = 3
"""Seeds take at most one in so many of all attempts, and so do tuned files."""


class FromKnown:
    """A strategy that begins with seeds and tunes files, and leaves all else to another.

    Half of a round at most is tuned files: they are measured while models write the others.

    Args:
        strategy: chooses what models are asked for.
        seeds: the points of files of `offline`, the most promising first.
        settings: say how many seeds and tuned files there may be.
    """

    def __init__(
        self, strategy: SearchStrategy, seeds: Sequence[Point], settings: SearchSettings
    ) -> None:
        self._strategy = strategy
        self._settings = settings
        self._seeds = seeds

    def choose(self, attempts: Sequence[Attempt], count: int, seed: int) -> list[Move]:
        """See `SearchStrategy.choose`; a round of seeds is shorter, since all others know them."""
        settings = self._settings
        wanted = min(count, seeds_left(settings, attempts))
        if wanted and (points := self._seeds[len(attempts) : len(attempts) + wanted]):
            return [Move(operator="seed", point=point) for point in points]
        most = (settings.attempts or len(attempts) + count) // SHARE
        most -= sum(attempt.move.operator == "tune" for attempt in attempts)
        tuned = tuning_moves(attempts, min(most, (count + 1) // 2), settings.tune, seed)
        left = count - len(tuned)
        known = [attempt for attempt in attempts if not _is_baseline(attempt)]
        return [*(self._strategy.choose(known, left, seed) if left else ()), *tuned]


def seeds_left(settings: SearchSettings, attempts: Sequence[Attempt]) -> int:
    """Return how many seeds may still come: none once anything else was tried."""
    if any(attempt.move.operator != "seed" for attempt in attempts):
        return 0
    most = settings.seeds
    if settings.attempts is not None:
        most = min(most, settings.attempts // SHARE)
    return max(0, most - len(attempts))


def _is_baseline(attempt: Attempt) -> bool:
    """Whether a seed is torch.compile, which is there to be beaten and nothing to go on from."""
    made = attempt.candidate
    return attempt.move.operator == "seed" and made is not None and made.backend == "inductor"

"""Blocks of calls as they were timed, by round, and what they say about seconds per call."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernelwright.verifier.timing.statistics import bootstrap_median

CANDIDATE, EAGER = "candidate", "eager"

Seconds = npt.NDArray[np.float64]


class PerCall(NamedTuple):
    """Seconds per call of one side, by round."""

    judge: Seconds
    worker: Seconds


class Rounds:
    """Seconds that every side took in each round, on the judge's and on the worker's clock.

    Args:
        sides: their names.
        calls: iterations of a full round, the same for all, so that their data take the same room
            in caches.
    """

    def __init__(self, sides: Iterable[str], calls: int) -> None:
        self.calls = calls
        self.judge: dict[str, list[float]] = {name: [] for name in sides}
        self.worker: dict[str, list[float]] = {name: [] for name in self.judge}
        self.halved: list[bool] = []

    def __len__(self) -> int:
        return len(self.halved)

    def extend(self, other: Rounds) -> None:
        """Add the rounds of another with the same number of calls."""
        self.halved += other.halved
        for name in self.judge:
            self.judge[name] += other.judge[name]
            self.worker[name] += other.worker[name]

    def iterations_in(self, halved: bool) -> int:
        """Return how many calls a round has, a full one or one with half as many."""
        return math.ceil(self.calls / 2) if halved else self.calls

    @property
    def overhead_s(self) -> float:
        """The constant part of a round trip: waking a worker up, its answer, bringing it to a halt.

        What the judge's clock saw of eager's rounds and eager's own clock did not; of the
        reference's worker, so that a candidate can't stretch it.
        """
        rest = np.asarray(self.judge[EAGER]) - np.asarray(self.worker[EAGER])
        return max(0.0, float(np.median(rest)))

    def per_call(self, name: str) -> PerCall:
        """Seconds per call without the constant part of a round trip."""
        calls = np.asarray([self.iterations_in(halved) for halved in self.halved])
        seconds = np.asarray(self.judge[name])
        # Never most of a round: an overhead found too large must not make anyone fast.
        net = np.maximum(seconds - self.overhead_s, seconds / 2)
        return PerCall(net / calls, np.asarray(self.worker[name]) / calls)

    def ratios(self) -> dict[str, Seconds]:
        """How many times as fast as each baseline the candidate was, by round."""
        own = self.per_call(CANDIDATE).judge
        return {name: self.per_call(name).judge / own for name in self.judge if name != CANDIDATE}

    def are_narrow(self, relative_width: float, seed: int) -> bool:
        """Whether the interval of every ratio's median is narrower than this share of it."""
        found = [bootstrap_median(ratios, seed) for ratios in self.ratios().values()]
        return all((high - low) / median < relative_width for median, (low, high) in found)

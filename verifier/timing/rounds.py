"""Timed rounds of all sides, and the seconds per call that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernelwright.schema import Flag
from kernelwright.verifier.timing.statistics import bootstrap_median
from kernelwright.verifier.worker.sampler import CodeSamples

CANDIDATE, EAGER, COMPILE = "candidate", "eager", "compile"

Seconds = npt.NDArray[np.float64]


class PerCall(NamedTuple):
    """Seconds per call of one side, by round."""

    judge: Seconds
    worker: Seconds


class Rounds:
    """The seconds that every side took in each round, on the judge's and on the worker's clock.

    Args:
        sides: names of the sides.
        calls: iterations of a full round, the same for all sides, so that their data take the same
            room in caches.
    """

    def __init__(self, sides: Iterable[str], calls: int) -> None:
        self.calls = calls
        self.judge: dict[str, list[float]] = {name: [] for name in sides}
        self.worker: dict[str, list[float]] = {name: [] for name in self.judge}
        self.halved: list[bool] = []

    def __len__(self) -> int:
        return len(self.halved)

    def extend(self, other: Rounds) -> None:
        """Append the rounds of another one with the same number of calls."""
        self.halved += other.halved
        for name in self.judge:
            self.judge[name] += other.judge[name]
            self.worker[name] += other.worker[name]

    def iterations_in(self, halved: bool) -> int:
        """Return how many calls a full or a halved round has."""
        return math.ceil(self.calls / 2) if halved else self.calls

    @property
    def overhead_s(self) -> float:
        """The constant part of a round trip: waking a worker up, its answer, bringing it to a halt.

        It is the median of eager's rounds on the judge's clock less the same rounds on eager's own
        clock. A candidate can't stretch it, as it comes from the reference's worker.
        """
        rest = np.asarray(self.judge[EAGER]) - np.asarray(self.worker[EAGER])
        return max(0.0, float(np.median(rest)))

    def per_call(self, name: str) -> PerCall:
        """Return seconds per call by round, without the constant part of a round trip."""
        calls = np.asarray([self.iterations_in(halved) for halved in self.halved])
        seconds = np.asarray(self.judge[name])
        # At most half of a round: an overhead measured too large must not make a side fast.
        net = np.maximum(seconds - self.overhead_s, seconds / 2)
        return PerCall(net / calls, np.asarray(self.worker[name]) / calls)

    def ratios(self) -> dict[str, Seconds]:
        """Return the candidate's speedup over each baseline, by round."""
        own = self.per_call(CANDIDATE).judge
        return {name: self.per_call(name).judge / own for name in self.judge if name != CANDIDATE}

    def compile_ratios(self) -> Seconds | None:
        """Return torch.compile's speedup over eager, by round; None where it was not timed."""
        if COMPILE not in self.judge:
            return None
        return self.per_call(EAGER).judge / self.per_call(COMPILE).judge

    def are_narrow(self, relative_width: float, seed: int) -> bool:
        """Return whether every ratio's median has an interval narrower than this share of it."""
        found = [bootstrap_median(ratios, seed) for ratios in self.ratios().values()]
        return all((high - low) / median < relative_width for median, (low, high) in found)


class Timed(NamedTuple):
    """The timing of one workload in one worker."""

    rounds: Rounds
    single_calls: Rounds
    """Single calls, made after the rounds; empty if rounds are single calls themselves."""
    code_samples: CodeSamples
    """Samples of running code, from rounds after `rounds` and before `single_calls`."""
    flags: tuple[Flag, ...]
    """Flags about the machine."""
    checked: int
    """Number of timed calls with a compared result."""

"""Rewards: named, versioned, pure functions of stored evidence.

Nothing is run or measured again: when a formula changes, a new version of it scores old attempts.
What says nothing about the candidate gets no reward at all (`total` None): an infrastructure
error, a broken reference, a right candidate that could not be timed. Trainers skip such rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from kernelwright.registry import Kind, Registry
from kernelwright.schema import Attempt, Evaluation, Reward, Status

KEVIN_CORRECT = 0.3
KEVIN_SPEEDUP_CAP = 10.0
"""Ours: Kevin has no cap. Beyond it a speedup is more often a flaw of the task than a kernel."""

LOG_LOW, LOG_HIGH = -1.0, 3.0
LOG_FAILURES: dict[Status, float] = {
    Status.INCORRECT_NUMERICAL: -1.5,
    Status.INCORRECT_SHAPE: -1.75,
    Status.INCORRECT_DTYPE: -1.75,
    Status.RUNTIME_ERROR: -2.0,
    Status.TIMEOUT: -2.0,
    Status.OUT_OF_MEMORY: -2.0,
    Status.COMPILE_ERROR: -2.5,
    Status.REWARD_HACK: -3.0,
}
LOG_REFUSED = -3.0

Parts = dict[str, float]


class RewardFunction(NamedTuple):
    """A formula; `parts` gives its summands, or None where there is nothing to score."""

    name: str
    version: int
    parts: Callable[[Evaluation], Parts | None]

    @property
    def key(self) -> str:
        """Name and version by which it is asked for, such as `kevin_v1`."""
        return f"{self.name}_v{self.version}"

    def __call__(self, attempt: Attempt) -> Reward:
        """Return the reward of an attempt."""
        return self.score(attempt.evaluation)

    def score(self, evaluation: Evaluation | None) -> Reward:
        """Return the reward of a verdict; None stands for an infrastructure error."""
        known = evaluation is not None and evaluation.status is not Status.INVALID_REFERENCE
        parts = self.parts(evaluation) if evaluation is not None and known else None
        total = None if parts is None else sum(parts.values())
        return Reward(function=self.name, version=self.version, parts=parts or {}, total=total)


def kevin_parts(evaluation: Evaluation) -> Parts | None:
    """Return the parts of `0.3 * correct + correct * speedup` (Kevin-32B, arXiv 2507.11948).

    The speedup is the median over eager, capped at 10; whatever is not accepted gets 0.
    """
    if not evaluation.accepted:
        return {"correct": 0.0, "speedup": 0.0}
    gain = evaluation.gain
    if gain is None or evaluation.was_disturbed:
        return None
    return {"correct": KEVIN_CORRECT, "speedup": min(gain.speedup.median, KEVIN_SPEEDUP_CAP)}


def log_speedup_parts(evaluation: Evaluation) -> Parts | None:
    """Return log2 of the speedup over eager, by its lower interval end, within -1 and 3.

    Whatever is not accepted gets a fixed value by its status. The lower end makes an uncertain
    speedup worth less than a certain one. The slowest right candidate is worth more than any wrong
    one, and a refused one is worth least.
    """
    if not evaluation.accepted:
        return {"failure": LOG_FAILURES.get(evaluation.status, LOG_REFUSED)}
    gain = evaluation.gain
    if gain is None or evaluation.was_disturbed:
        return None
    lower = min(max(2.0**LOG_LOW, gain.speedup.ci95[0]), 2.0**LOG_HIGH)
    return {"log_speedup": math.log2(lower)}


KEVIN = RewardFunction("kevin", 1, kevin_parts)
LOG_SPEEDUP = RewardFunction("log_speedup", 1, log_speedup_parts)

REWARDS: Registry[RewardFunction] = Registry(
    "reward",
    Kind("a reward function", "score"),
    {KEVIN.key: f"{__name__}:KEVIN", LOG_SPEEDUP.key: f"{__name__}:LOG_SPEEDUP"},
    "kernelwright.rewards",
)


def get_reward(key: str) -> RewardFunction:
    """Return the reward function of that name.

    Raises:
        UsageError: there is none.
    """
    return REWARDS.get(key)

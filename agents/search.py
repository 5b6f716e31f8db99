"""Search strategies: which attempt to go on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kernelwright.errors import UsageError, did_you_mean
from kernelwright.schema import Attempt


class SearchStrategy(Protocol):
    """Chooses the parent of the next attempt."""

    def parent(self, attempts: Sequence[Attempt]) -> Attempt | None:
        """The attempt to change next; None to start afresh."""


class BestOfN:
    """Independent attempts: the control that every other strategy has to beat."""

    def parent(self, attempts: Sequence[Attempt]) -> Attempt | None:
        """Never goes on from anything."""
        return None


class Greedy:
    """Always goes on from the fastest accepted attempt; repairs the last one until there is one."""

    def parent(self, attempts: Sequence[Attempt]) -> Attempt | None:
        """The best accepted attempt, else the latest evaluated one."""
        best = best_attempt(attempts)
        if best is not None:
            return best
        evaluated = [attempt for attempt in attempts if attempt.evaluation is not None]
        return evaluated[-1] if evaluated else None


STRATEGIES: dict[str, type[SearchStrategy]] = {"best-of-n": BestOfN, "greedy": Greedy}


def open_strategy(name: str) -> SearchStrategy:
    """The named strategy. Raises UsageError for an unknown one."""
    if name not in STRATEGIES:
        hint = did_you_mean(name, list(STRATEGIES))
        raise UsageError(f"unknown search strategy {name!r}", hint=hint)
    return STRATEGIES[name]()


def eager_speedup(attempt: Attempt) -> float | None:
    """Median speedup over eager of an accepted attempt; None for every other one."""
    evaluation = attempt.evaluation
    if evaluation is None or not evaluation.accepted or "eager" not in evaluation.speedup:
        return None
    return evaluation.speedup["eager"].median


def ranked(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Accepted attempts, fastest first."""
    timed = [attempt for attempt in attempts if eager_speedup(attempt) is not None]
    return sorted(timed, key=lambda attempt: -(eager_speedup(attempt) or 0.0))


def best_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """The fastest accepted attempt, if there is one."""
    order = ranked(attempts)
    return order[0] if order else None

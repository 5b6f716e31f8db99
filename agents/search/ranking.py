"""Ranking: accepted attempts by speedup, and failed ones to repair.

Attempts of one task are ranked over eager, which is their order over the faster of eager and
torch.compile, too: the baselines' times are the same for all of them. torch.compile is timed beside
a few only, so a ratio to it would compare files that were measured in different ways.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.schema import Attempt, Evaluation, Move, Status

MOST_REPAIRS = 2
"""Repairs in a row, before the search looks for another way."""


def speedup_of(evaluation: Evaluation | None) -> float | None:
    """Return the median of the gain if accepted and timed; None for everything else."""
    if evaluation is None or not evaluation.accepted or evaluation.gain is None:
        return None
    return evaluation.gain.speedup.median


def eager_speedup(attempt: Attempt) -> float | None:
    """Return `speedup_of` an attempt's evaluation."""
    return speedup_of(attempt.evaluation)


def ranked(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return accepted and timed attempts, fastest first."""
    timed = [attempt for attempt in attempts if eager_speedup(attempt) is not None]
    return sorted(timed, key=lambda attempt: -(eager_speedup(attempt) or 0.0))


def best_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the fastest accepted attempt, if there is one."""
    order = ranked(attempts)
    return order[0] if order else None


def to_repair(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return failed attempts that no attempt has tried to repair yet, newest first.

    The last of MOST_REPAIRS repairs in a row is left out, and so is what no model has written.
    """
    by_index = {attempt.index: attempt for attempt in attempts}
    repaired = {a.move.parent for a in attempts if a.move.operator == "repair"}
    return [
        attempt
        for attempt in reversed(attempts)
        if _failed(attempt)
        and attempt.index not in repaired
        and _repairs_before(attempt, by_index) < MOST_REPAIRS
    ]


def repairs(attempts: Sequence[Attempt], count: int) -> list[Move]:
    """Return moves that repair failed attempts, at most `count`; each keeps its `island`."""
    return [
        Move(operator="repair", parent=failed.index, island=failed.move.island)
        for failed in to_repair(attempts)[:count]
    ]


def _failed(attempt: Attempt) -> bool:
    evaluation = attempt.evaluation
    return (
        evaluation is not None
        and not attempt.move.is_free
        and not evaluation.accepted
        and evaluation.status is not Status.INVALID_REFERENCE
    )


def _repairs_before(attempt: Attempt, by_index: dict[int, Attempt]) -> int:
    count = 0
    while attempt.move.operator == "repair" and attempt.move.parent in by_index:
        count += 1
        attempt = by_index[attempt.move.parent]
    return count

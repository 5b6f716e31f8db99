"""Reasons to end a search: no answers, no new code, at the roof, or on a plateau."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.ranking import best_attempt, eager_speedup
from kernelwright.schema import Attempt

AT_THE_ROOF = 0.95
"""Share of the measured roof that counts as reached: the measurement is no more exact."""
ABOVE_THE_ROOF = 1.05
"""From here on the roof was measured wrongly: on a busy machine, or with data from caches."""
GAIN = 1.01
"""Factor on the best speedup above which an attempt is progress."""
EMPTY_IN_A_ROW = 3
PLATEAU = 4
"""Evaluated attempts without progress after which models are asked for more effort."""
UNANSWERED_IN_A_ROW = 3


def reason_to_stop(attempts: Sequence[Attempt], patience: int) -> str | None:
    """Return why the search should end; None where it should go on.

    Args:
        patience: evaluated attempts without progress that are taken for a plateau.
    """
    last = [attempt for attempt in attempts if not attempt.move.is_free][-EMPTY_IN_A_ROW:]
    if len(last) == EMPTY_IN_A_ROW and all(attempt.dropped for attempt in last):
        return f"{EMPTY_IN_A_ROW} answers in a row without new code"
    best = best_attempt(attempts)
    evidence = best.evaluation.evidence if best and best.evaluation else None
    share = evidence.roof_fraction if evidence else None
    if share is not None and AT_THE_ROOF <= share < ABOVE_THE_ROOF:
        return f"the best attempt reaches {share:.0%} of the measured roof"
    stale = _without_progress(attempts)
    if stale >= patience:
        return f"no progress in {stale} attempts"
    return None


def on_plateau(attempts: Sequence[Attempt]) -> bool:
    """Return whether the last few evaluated attempts brought no progress: time to try harder."""
    return _without_progress(attempts) >= PLATEAU


def unanswered(attempts: Sequence[Attempt]) -> str | None:
    """Return why a search should end: its provider keeps failing; None where it should go on.

    Args:
        attempts: those made since the search was begun or continued: before it is continued, the
            user has perhaps done something about the provider.
    """
    last = [attempt for attempt in attempts if not attempt.move.is_free][-UNANSWERED_IN_A_ROW:]
    if len(last) == UNANSWERED_IN_A_ROW and all(a.error and a.candidate is None for a in last):
        return f"{UNANSWERED_IN_A_ROW} attempts in a row without an answer: {last[-1].error}"
    return None


def _without_progress(attempts: Sequence[Attempt]) -> int:
    """Count the last evaluated attempts without progress; a tuned number that gains nothing says
    nothing about the models."""
    best, stale = 0.0, 0
    for attempt in attempts:
        if attempt.evaluation is None:
            continue
        speedup = eager_speedup(attempt) or 0.0
        stale = 0 if speedup > best * GAIN else stale + (not attempt.move.is_free)
        best = max(best, speedup)
    return stale

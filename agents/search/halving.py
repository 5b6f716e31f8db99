"""Measurement effort of an attempt, by asynchronous successive halving (ASHA).

Every attempt is built, compared on a few cases and timed for a moment (`fast`). One that is then
among the fastest so far is compared and timed at length (`standard`): an attempt that the search
goes on from should not be there by luck. Li et al. 2020, A System for Massively Parallel
Hyperparameter Tuning; as attempts end one by one, each is decided on once, when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.agents.search.ranking import speedup_of
from kernelwright.schema import Attempt, Evaluation


def is_promoted(found: Evaluation, attempts: Sequence[Attempt], factor: int) -> bool:
    """Whether an attempt deserves to be measured at length.

    Args:
        found: its verdict so far. The reference under torch.compile is nothing to go on from.
        attempts: those that ended before.
        factor: the fastest one in so many is promoted; 0: none.
    """
    own = speedup_of(found)
    if factor == 0 or own is None or own <= 1 or found.compiled is not None:
        return False
    others = [other for a in attempts if (other := speedup_of(a.evaluation)) is not None]
    faster = sum(other > own for other in others)
    return faster < max(1, (len(others) + 1) // factor)

"""The comparison of single calls with rounds, which shows calls that are computed as one batch.

In a round all inputs are there at once, and work can be moved from call to call. One batch of all
calls makes a product with one row ten times as fast. A worker that has only one input can't do so.
"""

from __future__ import annotations

import numpy as np

from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER, Rounds

# How much longer a single call may take than one in a round, besides what eager's takes longer: it
# wakes up threads, and reads again data that left the caches. Honest candidates were found to take
# up to 72 us longer, on another CPU 125 us where they were seven times as slow as eager.
MAY_COST_S, MAY_COST = 100e-6, 0.5


def batched(rounds: Rounds, single_calls: Rounds) -> str | None:
    """Return evidence that a round's calls were computed together; None if there is none.

    Other processes on these cores make rounds slower, but not the fastest single call faster. They
    may make all of one side's single calls slower but one of the other's. So the typical one of the
    candidate's must be as slow, beside the one of eager's that was timed with it.

    Args:
        single_calls: single calls of both sides; empty if rounds are single calls themselves.
    """
    if not len(single_calls):
        return None
    in_round, own = _in_round(rounds, CANDIDATE), _fastest(single_calls, CANDIDATE)
    eager_in_round, eager = _in_round(rounds, EAGER), _fastest(single_calls, EAGER)
    # Cold caches cost in proportion to the code that runs. A candidate that is slower than eager
    # runs more of it; one that is faster gets no more than eager's own difference.
    slower = max(1.0, in_round / eager_in_round)
    cold = max(0.0, eager - eager_in_round)
    may_cost = max(MAY_COST_S, MAY_COST * in_round) + slower * cold
    if min(own - in_round, _typical(single_calls) - in_round + eager_in_round + cold) <= may_cost:
        return None
    return (
        f"a call takes {own * 1e6:.0f} us by itself and {in_round * 1e6:.0f} us in a round "
        f"(eager: {eager * 1e6:.0f} and {eager_in_round * 1e6:.0f} us; {len(single_calls)} calls)"
    )


def _typical(single_calls: Rounds) -> float:
    """Return the median of the seconds that the candidate's single calls take more than eager's."""
    own, eager = (np.asarray(single_calls.judge[name]) for name in (CANDIDATE, EAGER))
    return float(np.median(own - eager))


def _in_round(rounds: Rounds, name: str) -> float:
    return float(np.median(rounds.per_call(name).judge))


def _fastest(single_calls: Rounds, name: str) -> float:
    """Return the seconds of the fastest single call, less the fastest round trip."""
    trips = np.asarray(single_calls.judge[EAGER]) - np.asarray(single_calls.worker[EAGER])
    return min(single_calls.judge[name]) - float(trips.min())

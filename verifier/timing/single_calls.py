"""Whether a call takes as long by itself as in a round, where all inputs are there at once.

In a round work can be moved from call to call, up to doing all of them as one batch, which makes a
product with one row ten times as fast. A worker that has one input can't.
"""

from __future__ import annotations

import numpy as np

from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER, Rounds

# What a call by itself may take longer than one in a round, besides what eager's does: waking up
# threads, and reading again what is not in caches any more. Honest candidates were found to take up
# to 72 us longer.
MAY_COST_S, MAY_COST = 100e-6, 0.5


def batched(rounds: Rounds, single_calls: Rounds) -> str | None:
    """What shows that a round's calls were done together, if anything does.

    Others on these cores make rounds slower, and not the fastest call by itself faster.

    Args:
        single_calls: of both sides; none where rounds are single calls.
    """
    if not len(single_calls):
        return None
    in_round, own = _in_round(rounds, CANDIDATE), _fastest(single_calls, CANDIDATE)
    eager_in_round, eager = _in_round(rounds, EAGER), _fastest(single_calls, EAGER)
    may_cost = max(MAY_COST_S, MAY_COST * in_round) + max(0.0, eager - eager_in_round)
    if own <= in_round + may_cost:
        return None
    return (
        f"a call takes {own * 1e6:.0f} us by itself and {in_round * 1e6:.0f} us in a round "
        f"(eager: {eager * 1e6:.0f} and {eager_in_round * 1e6:.0f} us)"
    )


def _in_round(rounds: Rounds, name: str) -> float:
    return float(np.median(rounds.per_call(name).judge))


def _fastest(single_calls: Rounds, name: str) -> float:
    """The fastest of single calls, without the fastest round trip."""
    trips = np.asarray(single_calls.judge[EAGER]) - np.asarray(single_calls.worker[EAGER])
    return min(single_calls.judge[name]) - float(trips.min())

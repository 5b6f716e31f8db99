"""Whether a call takes as long by itself as in a block, where all inputs are there at once.

In a block work can be moved from call to call, up to doing all of them as one batch, which makes a
product with one row ten times as fast. A worker that has one input can't.
"""

from __future__ import annotations

import numpy as np

from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER, Rounds

# What a call by itself may take longer than one in a block, besides what eager's does: waking up
# threads, and reading again what is not in caches any more. Honest candidates were found to take up
# to 72 us longer.
MAY_COST_S, MAY_COST = 100e-6, 0.5


def batched(rounds: Rounds, single_calls: Rounds) -> str | None:
    """What shows that a block's calls were done together, if anything does.

    Others on these cores make blocks slower, and not the fastest call by itself faster.

    Args:
        single_calls: of both sides; none where blocks are single calls.
    """
    if not len(single_calls):
        return None
    in_block, own = _in_block(rounds, CANDIDATE), _fastest(single_calls, CANDIDATE)
    eager_in_block, eager = _in_block(rounds, EAGER), _fastest(single_calls, EAGER)
    may_cost = max(MAY_COST_S, MAY_COST * in_block) + max(0.0, eager - eager_in_block)
    if own <= in_block + may_cost:
        return None
    return (
        f"a call takes {own * 1e6:.0f} us by itself and {in_block * 1e6:.0f} us in a block "
        f"(eager: {eager * 1e6:.0f} and {eager_in_block * 1e6:.0f} us)"
    )


def _in_block(rounds: Rounds, name: str) -> float:
    return float(np.median(rounds.per_call(name).judge))


def _fastest(single_calls: Rounds, name: str) -> float:
    """The fastest of single calls, without the fastest round trip."""
    trips = np.asarray(single_calls.judge[EAGER]) - np.asarray(single_calls.worker[EAGER])
    return min(single_calls.judge[name]) - float(trips.min())

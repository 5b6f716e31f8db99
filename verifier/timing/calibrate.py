"""The number of iterations that fill a round, found by growing rounds."""

from __future__ import annotations

import math

from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.levels import Effort
from kernelwright.verifier.timing.contention import quietly
from kernelwright.verifier.timing.measure import RoundTimer, TimedInstance
from kernelwright.verifier.worker.instance import Instance

# The first runs of a size touch new memory and may have all threads on one CPU; the fastest counts.
CALIBRATION_RUNS, MAX_CALIBRATIONS = 3, 6
ENOUGH = 1.25
# Longest round of the slowest side, in times of what the level wants.
LONGEST_ROUND = 8


def round_iterations(check: WorkloadCheck, effort: Effort) -> int:
    """Return how many calls of the fastest side fill a round, limited for the slowest side."""

    def measure(instance: Instance) -> int:
        return find_iterations(check, TimedInstance(instance, True), effort, effort.round_s)

    found = [check.live.iterations(name, effort.round_s, measure) for name in effort.baselines]
    calls = [count for count in found if count is not None]
    # Start from the fastest baseline's seconds per call, unless the candidate is too slow.
    guess = max(effort.round_s / max(calls, default=1), check.call_s / LONGEST_ROUND)
    calls.append(find_iterations(check, TimedInstance(check.instance, False), effort, guess))
    return min(max(calls), LONGEST_ROUND * min(calls))


def find_iterations(
    check: WorkloadCheck, side: TimedInstance, effort: Effort, call_s: float
) -> int:
    """Measure how many calls fill a round: a power of two, so that equal candidates get the same.

    Args:
        call_s: first guess of the seconds per call.
    """
    timer = RoundTimer(check.reference, check.live, check.prepared, effort, {})
    side.instance.set_layout(timer.pool.layout)
    with quietly(check.reference.machine):
        calls = _filling(timer, call_s)
        for _ in range(MAX_CALIBRATIONS):
            runs = [timer.run(side, calls) for _ in range(CALIBRATION_RUNS)]
            seconds = min(ran.seconds for ran in runs)
            before, calls = calls, _filling(timer, seconds / calls)
            if calls <= before * ENOUGH:
                break
    return calls


def _filling(timer: RoundTimer, call_s: float) -> int:
    power = round(math.log2(timer.effort.round_s / call_s))
    return max(1, min(timer.pool.layout.slots, int(2.0**power)))

"""The number of iterations that fill a round, found by growing rounds."""

from __future__ import annotations

import math

from kernelwright.verifier.levels import Effort
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.timing.contention import quietly
from kernelwright.verifier.timing.measure import RoundTimer, TimedInstance

# The first runs of a size touch new memory and may have all threads on one CPU; the fastest counts.
CALIBRATION_RUNS, MAX_CALIBRATIONS = 3, 6
ENOUGH = 1.25


def find_iterations(
    reference: Reference,
    live: LiveWorkload,
    prepared: PreparedWorkload,
    side: TimedInstance,
    effort: Effort,
    call_s: float,
) -> int:
    """Measure how many calls fill a round: a power of two, so that equal candidates get the same.

    Args:
        call_s: first guess of the seconds per call.
    """
    timer = RoundTimer(reference, live, prepared, effort, {})
    side.instance.set_layout(timer.pool.layout)
    with quietly(reference.machine):
        calls = _filling(timer, call_s)
        for _ in range(MAX_CALIBRATIONS):
            runs = [
                timer.iterate(side, timer.buffer(calls), calls)[1] for _ in range(CALIBRATION_RUNS)
            ]
            seconds = min(ran.seconds for ran in runs)
            before, calls = calls, _filling(timer, seconds / calls)
            if calls <= before * ENOUGH:
                break
    return calls


def _filling(timer: RoundTimer, call_s: float) -> int:
    power = round(math.log2(timer.effort.round_s / call_s))
    return max(1, min(timer.pool.layout.slots, int(2.0**power)))

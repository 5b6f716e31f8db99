"""Timing by the judge's clock: alternating blocks, everyone else frozen, paired ratios.

A block is `n` calls asked for at once; its time is the judge's wall clock for the round trip. The
constant part of a round trip (measured with blocks of no calls on the reference's worker, so that a
candidate can't stretch it) is taken off: the slope between blocks of 0 and of n calls. The
worker's own clock is reported next to it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from kernelwright.errors import InfrastructureError
from kernelwright.schema import BUSY_MACHINE, Flag, Speedup, Timing
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.levels import Plan
from kernelwright.verifier.load import LoadMeter
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.statistics import bootstrap_median, ratio_interval

METHOD = "judge wall clock, alternating blocks, empty-block overhead removed"
EMPTY_BLOCKS = 9
MAX_CALLS = 20_000
CLOCKS_MAY_DIFFER = 0.10
# Rounds between two looks at who else used the cores, and at the intervals.
WINDOW_ROUNDS = 4
# Fewer tell nothing, however long a call takes.
LEAST_ROUNDS = 8
# Cores' worth of others' CPU time from which a window is set aside. The counters tick in 10 ms.
BUSY_CORES = 0.25
# A busy machine is waited for this many times as long as the plan's budget.
PATIENCE = 3
# Quartiles of one side's blocks further apart than this: something else ran on these cores.
NOISY_QUARTILES = 1.3


class Side(NamedTuple):
    """One of the things being timed."""

    module: RemoteModule
    slots: list[int]
    is_baseline: bool

    def block(self, key: str, slots: list[int], calls: int) -> tuple[float, float]:
        """See `RemoteModule.block`; a baseline that fails here is not the candidate's fault."""
        try:
            return self.module.block(key, slots, calls)
        except WorkerFault as fault:
            if not self.is_baseline:
                raise
            message = f"a baseline failed while it was timed: {fault.reason}"
            raise InfrastructureError(message) from fault


class Measured(NamedTuple):
    """The outcome for one workload."""

    timing: dict[str, Timing]
    speedup: dict[str, Speedup]
    flags: tuple[Flag, ...]


@contextmanager
def only_running(side: Side) -> Iterator[None]:
    """Thaw one worker for the time of the block; the others stay frozen."""
    side.module.process.thaw()
    try:
        yield
    finally:
        side.module.process.freeze()


@contextmanager
def frozen(sides: Mapping[str, Side]) -> Iterator[None]:
    """Freeze all sides, and thaw them again at the end."""
    for side in sides.values():
        side.module.process.freeze()
    try:
        yield
    finally:
        for side in sides.values():
            side.module.process.thaw()


def measure(key: str, sides: Mapping[str, Side], plan: Plan, seed: int) -> Measured:
    """Time `candidate` against the other sides on one workload.

    Args:
        key: the workload's instance in every worker.
        sides: `candidate`, `eager`, and `compile` where the plan asks for it.
        seed: orders the rounds and the resampling.
    """
    with frozen(sides):
        overhead_s = _overhead(key, sides["eager"])
        calls = {name: _calibrate(key, side, plan, overhead_s) for name, side in sides.items()}
        bench = Bench(key, sides, calls, overhead_s, random.Random(seed))
        rounds, busy = _rounds(bench, plan, seed)
    judge, worker = rounds.judge, rounds.worker
    timing = {name: _timing(judge[name], worker[name], calls[name], seed) for name in sides}
    flags = (*busy, *_clock_flags(timing), *_noise_flags(timing))
    return Measured(timing, _speedups(judge, seed), flags)


def _overhead(key: str, side: Side) -> float:
    """The constant part of a round trip: the shortest, as only what is always there is constant."""
    with only_running(side):
        return min(side.block(key, side.slots, 0)[0] for _ in range(EMPTY_BLOCKS))


def _calibrate(key: str, side: Side, plan: Plan, overhead_s: float) -> int:
    """Calls per block that fill about `plan.block_s`; also the warm-up. By the judge's clock."""
    calls = 1
    with only_running(side):
        while True:
            seconds = min(side.block(key, side.slots, calls)[0] for _ in range(3)) - overhead_s
            if seconds >= plan.block_s / 4 or calls >= MAX_CALLS:
                break
            calls = min(MAX_CALLS, calls * 4)
    return max(1, min(MAX_CALLS, math.ceil(calls * plan.block_s / max(seconds, 1e-9))))


Blocks = dict[str, list[float]]


class Rounds:
    """Blocks of all sides by round, on the judge's and on the worker's clock."""

    def __init__(self, names: Iterable[str]) -> None:
        self.judge: Blocks = {name: [] for name in names}
        self.worker: Blocks = {name: [] for name in names}

    def __len__(self) -> int:
        return len(self.judge["candidate"])

    def extend(self, other: Rounds) -> None:
        """Add the rounds of another."""
        for name in self.judge:
            self.judge[name] += other.judge[name]
            self.worker[name] += other.worker[name]


class Bench(NamedTuple):
    """What stays the same over the rounds of one workload."""

    key: str
    sides: Mapping[str, Side]
    calls: Mapping[str, int]
    overhead_s: float
    shuffle: random.Random

    def window(self) -> Rounds:
        """A few rounds, each with every side once, in random order."""
        rounds, order = Rounds(self.sides), list(self.sides)
        for _ in range(WINDOW_ROUNDS):
            self.shuffle.shuffle(order)
            for name in order:
                wall, own = self.block(name)
                rounds.judge[name].append(wall)
                rounds.worker[name].append(own)
        return rounds

    def block(self, name: str) -> tuple[float, float]:
        """Seconds per call of one block, by the judge's and the worker's clock."""
        side, calls = self.sides[name], self.calls[name]
        with only_running(side):
            if calls > 1:
                side.block(self.key, side.slots[:1], 1)  # wakes its threads and caches
            wall, own = side.block(self.key, side.slots, calls)
        # Never most of a block: an overhead found too large must not make anyone fast.
        return max(wall - self.overhead_s, wall / 2) / calls, own / calls


def _rounds(bench: Bench, plan: Plan, seed: int) -> tuple[Rounds, tuple[Flag, ...]]:
    """Rounds on a quiet machine; those on a busy one only where there are too few others."""
    quiet, busy = Rounds(bench.sides), Rounds(bench.sides)
    processes = [side.module.process for side in bench.sides.values()]
    start = time.monotonic()
    while len(quiet) < plan.max_rounds:
        meter = LoadMeter(processes)
        window = bench.window()
        external = meter.external_cores() or 0.0
        (quiet if external < BUSY_CORES else busy).extend(window)
        spent = time.monotonic() - start
        if len(quiet) >= LEAST_ROUNDS and spent > plan.budget_s:
            break
        if len(quiet) >= plan.min_rounds and _narrow(quiet.judge, plan, seed):
            break
        if spent > plan.budget_s * PATIENCE and len(quiet) + len(busy) >= LEAST_ROUNDS:
            break
    if len(quiet) >= LEAST_ROUNDS:
        return quiet, ()
    evidence = f"others used these cores in {len(busy)} of {len(quiet) + len(busy)} rounds"
    quiet.extend(busy)
    return quiet, (Flag(rule=BUSY_MACHINE, severity="suspicious", evidence=evidence),)


def _narrow(judge: Blocks, plan: Plan, seed: int) -> bool:
    speedups = _speedups(judge, seed).values()
    return all((s.ci95[1] - s.ci95[0]) / s.median < plan.relative_width for s in speedups)


def _speedups(judge: Blocks, seed: int) -> dict[str, Speedup]:
    candidate = judge["candidate"]
    return {
        name: ratio_interval(blocks, candidate, seed)
        for name, blocks in judge.items()
        if name != "candidate"
    }


def _timing(judge: list[float], worker: list[float], calls: int, seed: int) -> Timing:
    microseconds = [seconds * 1e6 for seconds in judge]
    median, interval = bootstrap_median(microseconds, seed)
    return Timing(
        median_us=median,
        ci95_us=interval,
        samples_us=tuple(round(value, 4) for value in microseconds),
        worker_median_us=float(np.median(worker)) * 1e6,
        calls_per_block=calls,
        method=METHOD,
    )


def _clock_flags(timing: Mapping[str, Timing]) -> tuple[Flag, ...]:
    candidate = timing["candidate"]
    own = candidate.worker_median_us or 0.0
    if abs(own - candidate.median_us) <= CLOCKS_MAY_DIFFER * candidate.median_us:
        return ()
    evidence = f"judge {candidate.median_us:.1f} us, worker {own:.1f} us per call"
    return (Flag(rule="clocks-disagree", severity="suspicious", evidence=evidence),)


def _noise_flags(timing: Mapping[str, Timing]) -> Iterator[Flag]:
    for name, side in timing.items():
        low, high = np.percentile(side.samples_us, [25, 75])
        if high > NOISY_QUARTILES * low:
            evidence = f"the middle half of {name}'s blocks spans {low:.1f} to {high:.1f} us"
            yield Flag(rule="noisy-machine", severity="info", evidence=evidence)

"""Timing by the judge's clock: inputs that nobody has seen, results that are looked at afterwards.

Workers stand still except while they run what they were asked to. For a block the judge writes new
inputs into the stopped worker's memory, starts its clock, lets the worker run `n` calls, stops it,
and ends the clock when every thread stands still. Results are read from the stopped worker's
memory, for calls that the judge picks by then. So whatever the results needed was done between the
two ends of the clock, by whatever code.

The constant part of a round trip (measured with runs of no calls on the reference's worker, so that
a candidate can't stretch it) is taken off. The sides take turns in random order, some blocks have
half as many calls, and a speedup is the median of the rounds' ratios.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from kernelwright.errors import InfrastructureError
from kernelwright.schema import BUSY_MACHINE, Flag, Speedup, Timing
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.expected import Prepared
from kernelwright.verifier.integrity.rules import flag
from kernelwright.verifier.levels import Plan
from kernelwright.verifier.load import LoadMeter
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.results import Ran
from kernelwright.verifier.rotation import Rotation
from kernelwright.verifier.shared import Image, Trace, trace
from kernelwright.verifier.statistics import bootstrap_median, ratio_interval, widened
from kernelwright.verifier.values import Values

METHOD = "judge wall clock from wake-up to standstill, alternating blocks of unseen inputs"
EMPTY_RUNS = 9
# The first runs of a size touch new memory and may find threads on one CPU; the fastest counts.
CALIBRATION_RUNS, MAX_CALIBRATIONS = 3, 6
ENOUGH = 1.25
CLOCKS_MAY_DIFFER = 0.10
# Per block: what is left of its constant part, which depends on how cold the caches are.
CLOCKS_MAY_DIFFER_S = 500e-6
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
# Time per call in half-size blocks over that in full ones, against the same of eager.
NOT_LINEAR = 1.25
# Speedup in one worker over that in another.
NOT_REPRODUCED = 1.25
CANDIDATE = "candidate"


class Side(NamedTuple):
    """One of the things being timed."""

    module: RemoteModule
    key: str
    is_baseline: bool

    def run(
        self, image: Image, slots: list[int], seeds: list[int] | None, poison: bool = False
    ) -> Ran:
        """See `RemoteModule.run`; a baseline that fails here is not the candidate's fault."""
        try:
            self.module.drop(self.key)
            image.write(self.module.process.shared, len(slots) or None)
            return self.module.run(self.key, slots, seeds, poison)
        except WorkerFault as fault:
            if not self.is_baseline:
                raise
            message = f"a baseline failed while it was timed: {fault.reason}"
            raise InfrastructureError(message) from fault


class Pick(NamedTuple):
    """A timed call of the candidate that the judge looks at: its inputs and its result."""

    inputs: Values
    seed: int
    result: Values


class Rounds:
    """Seconds per call of all sides by round, on the judge's and on the worker's clock."""

    def __init__(self, names: Iterable[str]) -> None:
        self.judge: dict[str, list[float]] = {name: [] for name in names}
        self.worker: dict[str, list[float]] = {name: [] for name in names}
        self.halved: list[bool] = []

    def __len__(self) -> int:
        return len(self.halved)

    def extend(self, other: Rounds) -> None:
        """Add the rounds of another."""
        self.halved += other.halved
        for name in self.judge:
            self.judge[name] += other.judge[name]
            self.worker[name] += other.worker[name]


class Measured(NamedTuple):
    """What was measured of one workload in one worker."""

    rounds: Rounds
    calls: dict[str, int]
    """Per full block."""
    flags: tuple[Flag, ...]
    """About the machine."""
    picks: list[Pick]
    trace: Trace
    """What the candidate's last block left in the shared memory."""


class Summary(NamedTuple):
    """What the measurements of one workload add up to."""

    timing: dict[str, Timing]
    speedup: dict[str, Speedup]
    flags: tuple[Flag, ...]


def measure(
    reference: Reference, prepared: Prepared, sides: Mapping[str, Side], plan: Plan
) -> Measured:
    """Time `candidate` against the other sides on one workload.

    Args:
        sides: `candidate`, `eager`, and `compile` where the plan asks for it.
    """
    rotation = reference.rotation(prepared, plan.image_bytes)
    for side in sides.values():
        side.module.stage(side.key, rotation.layout)
    bench = Bench(reference, prepared, rotation, sides, random.SystemRandom())
    with quietly(reference.machine.cores[0]):
        bench.calibrate(plan)
        rounds, busy = _rounds(bench, plan, reference.seed)
    return Measured(rounds, bench.calls, busy, bench.picks, bench.left)


@contextmanager
def quietly(core: int) -> Iterator[None]:
    """Keep this process out of the workers' way.

    This thread shares a CPU with the main thread of the worker, of which one always waits for the
    other; elsewhere it would wait behind OpenMP threads that spin. Its own must not spin either.
    """
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, [core])
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        os.sched_setaffinity(0, cores)


def summarize(measured: Sequence[Measured], seed: int) -> Summary:
    """Times, speedups and flags of one workload, from one worker or from several."""
    first = measured[0]
    rounds = Rounds(first.calls)
    for one in measured:
        rounds.extend(one.rounds)
    timing = {name: _timing(rounds, name, first.calls[name], seed) for name in first.calls}
    about_machine = [flag for one in measured for flag in one.flags][:1]
    flags = [*about_machine, *_noise_flags(timing)]
    if not flags:  # times that mean nothing say nothing about the candidate
        flags += [*_clock_flags(timing), *_linear_flags(rounds)]
        flags += _speedup_flags([_speedups(one.rounds, seed) for one in measured])
    speedups = {name: widened(found) for name, found in _speedups(rounds, seed).items()}
    return Summary(timing, speedups, tuple(flags))


def _speedup_flags(speedups: Sequence[Mapping[str, Speedup]]) -> Iterator[Flag]:
    """Workers of one candidate must agree, but for the luck of where their memory lies."""
    medians = [speedup["eager"].median for speedup in speedups]
    if max(medians) > NOT_REPRODUCED * min(medians):
        words = " and ".join(f"{median:.2f}x" for median in medians)
        yield flag("not-reproduced", f"in {len(medians)} workers of its own: {words}")


class Bench:
    """The timing of one workload as it goes on."""

    def __init__(
        self,
        reference: Reference,
        prepared: Prepared,
        rotation: Rotation,
        sides: Mapping[str, Side],
        chance: random.Random,
    ) -> None:
        self.reference = reference
        self.prepared = prepared
        self.rotation = rotation
        self.sides = sides
        self.chance = chance
        self.number = 0
        """Of the image in use; each is used for one round."""
        self.calls: dict[str, int] = {}
        self.overhead_s = 0.0
        self.picks: list[Pick] = []
        self.left = Trace(False, ())

    def image(self) -> Image:
        """The inputs of this round."""
        return self.reference.image(self.rotation, self.number)

    def calibrate(self, plan: Plan) -> None:
        """Find the calls that fill a block, and the constant part of a round trip; warm up."""
        empty = [self.sides["eager"].run(self.image(), [], None) for _ in range(EMPTY_RUNS)]
        self.overhead_s = float(np.median([ran.seconds for ran in empty]))
        for name, side in self.sides.items():
            self.calls[name] = self._calls(side, plan)

    def _calls(self, side: Side, plan: Plan) -> int:
        """Calls that fill a block, found with growing blocks, which are the warm-up too."""
        slots, calls = self.rotation.layout.slots, 1
        for _ in range(MAX_CALIBRATIONS):
            runs = [self._block(side, self.image(), calls)[1] for _ in range(CALIBRATION_RUNS)]
            seconds = min(ran.seconds for ran in runs) - self.overhead_s
            wanted = math.ceil(calls * plan.block_s / max(seconds, plan.block_s / slots))
            before, calls = calls, max(1, min(slots, wanted))
            if calls <= before * ENOUGH:
                break
        return calls

    def window(self, rounds: int = WINDOW_ROUNDS) -> Rounds:
        """A few rounds, each with every side once, in random order."""
        found, order = Rounds(self.sides), list(self.sides)
        for _ in range(rounds):
            self.number += 1
            image, halved = self.image(), self.chance.random() < 0.5
            self.chance.shuffle(order)
            for name in order:
                calls = math.ceil(self.calls[name] / 2) if halved else self.calls[name]
                slots, ran = self._block(self.sides[name], image, calls)
                # Never most of a block: an overhead found too large must not make anyone fast.
                seconds = max(ran.seconds - self.overhead_s, ran.seconds / 2)
                found.judge[name].append(seconds / calls)
                found.worker[name].append(ran.worker_seconds / calls)
                if name == CANDIDATE:
                    self._look(image, slots, ran)
                    last = slots
            found.halved.append(halved)
        self._check_left(image, last)
        return found

    def _block(self, side: Side, image: Image, calls: int) -> tuple[list[int], Ran]:
        slots = list(range(calls))
        self.chance.shuffle(slots)
        return slots, side.run(image, slots, self.rotation.call_seeds(self.number, slots))

    def _look(self, image: Image, slots: list[int], ran: Ran) -> None:
        """Take the result of one call out of the stopped worker, and see what it wrote to."""
        call = self.chance.randrange(len(slots))
        side, slot = self.sides[CANDIDATE], slots[call]
        result = side.module.result(side.key, ran, call, self.prepared.specs)
        inputs = image.sets[slot].mapped(lambda tensor: tensor.clone())
        seeds = self.rotation.call_seeds(self.number, [slot]) or [0]
        self.picks.append(Pick(inputs, seeds[0], result))

    def _check_left(self, image: Image, slots: list[int]) -> None:
        """See what else than results the candidate's last block wrote."""
        after = Image(image.layout)
        after.read(self.sides[CANDIDATE].module.process.shared, image.end(len(slots)))
        self.left = trace(image, after, slots)


def _rounds(bench: Bench, plan: Plan, seed: int) -> tuple[Rounds, tuple[Flag, ...]]:
    """Rounds on a quiet machine; those on a busy one only where there are too few others."""
    quiet, busy = Rounds(bench.sides), Rounds(bench.sides)
    modules = [bench.reference.oracle, *(side.module for side in bench.sides.values())]
    cores = bench.reference.machine.cores
    start = time.monotonic()
    while len(quiet) < plan.max_rounds:
        meter = LoadMeter([module.process for module in modules], cores)
        window = bench.window()
        external = meter.external_cores() or 0.0
        (quiet if external < BUSY_CORES else busy).extend(window)
        spent = time.monotonic() - start
        if len(quiet) >= LEAST_ROUNDS and spent > plan.budget_s:
            break
        if len(quiet) >= plan.min_rounds and _narrow(quiet, plan, seed):
            break
        if spent > plan.budget_s * PATIENCE and len(quiet) + len(busy) >= LEAST_ROUNDS:
            break
    if len(quiet) >= LEAST_ROUNDS:
        return quiet, ()
    evidence = f"others used these cores in {len(busy)} of {len(quiet) + len(busy)} rounds"
    quiet.extend(busy)
    return quiet, (flag(BUSY_MACHINE, evidence),)


def _narrow(rounds: Rounds, plan: Plan, seed: int) -> bool:
    speedups = _speedups(rounds, seed).values()
    return all((s.ci95[1] - s.ci95[0]) / s.median < plan.relative_width for s in speedups)


def _speedups(rounds: Rounds, seed: int) -> dict[str, Speedup]:
    candidate = rounds.judge[CANDIDATE]
    return {
        name: ratio_interval(blocks, candidate, seed)
        for name, blocks in rounds.judge.items()
        if name != CANDIDATE
    }


def _timing(rounds: Rounds, name: str, calls: int, seed: int) -> Timing:
    microseconds = [seconds * 1e6 for seconds in rounds.judge[name]]
    median, interval = bootstrap_median(microseconds, seed)
    return Timing(
        median_us=median,
        ci95_us=interval,
        samples_us=tuple(round(value, 4) for value in microseconds),
        worker_median_us=float(np.median(rounds.worker[name])) * 1e6,
        calls_per_block=calls,
        method=METHOD,
    )


def _clock_flags(timing: Mapping[str, Timing]) -> Iterator[Flag]:
    candidate = timing[CANDIDATE]
    own, judge = candidate.worker_median_us or 0.0, candidate.median_us
    constant = CLOCKS_MAY_DIFFER_S * 1e6 / candidate.calls_per_block
    if abs(own - judge) > CLOCKS_MAY_DIFFER * judge + constant:
        yield flag("clocks-disagree", f"judge {judge:.1f} us, worker {own:.1f} us per call")


def _noise_flags(timing: Mapping[str, Timing]) -> Iterator[Flag]:
    for name, side in timing.items():
        low, high = np.percentile(side.samples_us, [25, 75])
        if high > NOISY_QUARTILES * low:
            evidence = f"the middle half of {name}'s blocks spans {low:.1f} to {high:.1f} us"
            yield flag("noisy-machine", evidence)


def _linear_flags(rounds: Rounds) -> Iterator[Flag]:
    """Time must be proportional to calls: work moved from call to call shows here."""
    if all(rounds.halved) or not any(rounds.halved):
        return
    own, eager = (_half_over_full(rounds, name) for name in (CANDIDATE, "eager"))
    if not 1 / NOT_LINEAR < own / eager < NOT_LINEAR:
        evidence = f"a call takes {own:.2f} times as long in blocks of half as many calls"
        yield flag("not-linear", f"{evidence} (eager: {eager:.2f})")


def _half_over_full(rounds: Rounds, name: str) -> float:
    halved = np.asarray(rounds.halved)
    times = np.asarray(rounds.judge[name])
    return float(np.median(times[halved]) / np.median(times[~halved]))

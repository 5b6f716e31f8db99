"""The timing of one candidate in one worker: inputs nobody has seen, results looked at afterwards.

Workers stand still except while they run what they were asked to. For a block the judge writes new
inputs into the stopped worker's memory, starts its clock, lets the worker run `n` calls, stops it,
and ends the clock when every thread stands still. Results are read from the stopped worker's
memory, for calls that the judge picks by then. So whatever the results needed was done between the
two ends of the clock, by whatever code.

The sides take turns in random order, and some blocks have half as many calls. Where results lie is
worth several percent and depends on what a process did before: so all do the same, and where a few
percent matter all workers are new.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.leases import lease
from kernelwright.sandbox.strays import descendants
from kernelwright.schema import BUSY_MACHINE, Flag
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.expected import Prepared
from kernelwright.verifier.gpu.state import gpu_processes
from kernelwright.verifier.integrity.rules import flag
from kernelwright.verifier.levels import Plan
from kernelwright.verifier.load import LoadMeter
from kernelwright.verifier.one_thread import one_thread
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.results import Ran
from kernelwright.verifier.rounds import CANDIDATE, Rounds
from kernelwright.verifier.shared import Image, Trace, trace
from kernelwright.verifier.values import Values
from kernelwright.verifier.workers import Machine

# The first runs of a size touch new memory and may find threads on one CPU; the fastest counts.
CALIBRATION_RUNS, MAX_CALIBRATIONS = 3, 6
ENOUGH = 1.25
# A new worker's first blocks touch new memory and start its threads.
WARM_UP_BLOCKS = 2
# Results and what a call needs for itself, in times of a block's inputs or results.
HEAP_PER_BLOCK = 3
# Share of rounds in blocks of half as many calls.
HALVED = 0.25
# Rounds between two looks at who else used the cores, and at the intervals.
WINDOW_ROUNDS = 4
# Fewer tell nothing, however long a call takes.
LEAST_ROUNDS = 8
# Cores' worth of others' CPU time from which a window is set aside. The counters tick in 10 ms.
BUSY_CORES = 0.25
# A busy machine is waited for this many times as long as the plan's budget.
PATIENCE = 6


class Side(NamedTuple):
    """One of the things being timed."""

    module: RemoteModule
    key: str
    is_baseline: bool

    def run(self, image: Image, slots: list[int], seeds: list[int] | None) -> Ran:
        """See `RemoteModule.run`; a baseline that fails here is not the candidate's fault."""
        try:
            self.module.drop(self.key)
            if image.cover is None:
                self.module.give(self.key, image, len(slots))
                return self.module.run(self.key, slots, seeds)
            self.module.give(self.key, image.cover.image)
            return self.module.run(self.key, slots, seeds, cover=image.cover.seed)
        except WorkerFault as fault:
            if not self.is_baseline:
                raise
            message = f"a baseline failed while it was timed: {fault.reason}"
            raise InfrastructureError(message) from fault


class Pick(NamedTuple):
    """A timed call of the candidate that the judge looks at: its inputs and its result."""

    place: tuple[int, int]
    """Image and slot of the inputs."""
    inputs: Values
    seed: int
    result: Values


class Measured(NamedTuple):
    """What was measured of one workload in one worker."""

    rounds: Rounds
    flags: tuple[Flag, ...]
    """About the machine."""
    picks: list[Pick]
    trace: Trace
    """What the candidate's last block left in the shared memory."""


@contextmanager
def quietly(machine: Machine) -> Iterator[None]:
    """Have the machine's devices for oneself, and keep this process out of the workers' way.

    This thread shares a CPU with the main thread of the worker, of which one always waits for the
    other; elsewhere it would wait behind OpenMP threads that spin. Its own must not spin either.
    """
    cores = os.sched_getaffinity(0)
    with lease(machine.devices), one_thread():
        os.sched_setaffinity(0, machine.cores[:1])
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)


def calls_per_block(
    reference: Reference, prepared: Prepared, side: Side, plan: Plan, call_s: float
) -> int:
    """How many calls fill a block; a power of two, so that equal candidates get the same.

    Args:
        call_s: about what a call takes, to begin with.
    """
    bench = Bench(reference, prepared, plan, {})
    side.module.stage(side.key, bench.rotation.layout)
    with quietly(reference.machine):
        return bench.calls_per_block(side, call_s)


def measure(
    reference: Reference,
    prepared: Prepared,
    plan: Plan,
    sides: Mapping[str, Side],
    calls: int,
) -> Measured:
    """Time `candidate` against the other sides on one workload.

    Args:
        sides: `candidate`, `eager`, and `compile` where the plan asks for it.
        calls: in a block.
    """
    bench = Bench(reference, prepared, plan, sides)
    with quietly(reference.machine):
        bench.warm_up(calls)
        rounds, busy = _rounds(bench, calls)
        flags = (*busy, *_gpu_flags(bench))
    return Measured(rounds, flags, bench.picks, bench.left())


class Bench:
    """The timing of one workload as it goes on."""

    def __init__(
        self, reference: Reference, prepared: Prepared, plan: Plan, sides: Mapping[str, Side]
    ) -> None:
        self.reference = reference
        self.prepared = prepared
        self.plan = plan
        self.rotation = reference.rotation(prepared, plan.image_bytes)
        self.sides = sides
        self.chance = random.SystemRandom()
        self.number = 0
        """Of the round and of its image; from 1, as the warm-up has image 0."""
        self.picks: list[Pick] = []
        self._written: tuple[Image, list[int]]

    def image(self) -> Image:
        """The inputs of this round."""
        return self.reference.image(self.rotation, self.number)

    def calls_per_block(self, side: Side, call_s: float) -> int:
        """Calls that fill a block, found with growing ones."""
        calls = self._filling(call_s)
        for _ in range(MAX_CALIBRATIONS):
            runs = [self._block(side, self.image(), calls)[1] for _ in range(CALIBRATION_RUNS)]
            seconds = min(ran.seconds for ran in runs)
            before, calls = calls, self._filling(seconds / calls)
            if calls <= before * ENOUGH:
                break
        return calls

    def _filling(self, call_s: float) -> int:
        power = round(math.log2(self.plan.block_s / call_s))
        return max(1, min(self.rotation.layout.slots, int(2.0**power)))

    def warm_up(self, calls: int) -> None:
        """Give all sides their inputs and the same short history."""
        used = math.ceil(self.rotation.nbytes * calls / self.rotation.layout.slots)
        for side in self.chance.sample(list(self.sides.values()), len(self.sides)):
            side.module.stage(side.key, self.rotation.layout)
            side.module.touch(HEAP_PER_BLOCK * used)
            for _ in range(WARM_UP_BLOCKS):
                self._block(side, self.image(), calls)

    def window(self, calls: int, rounds: int = WINDOW_ROUNDS) -> Rounds:
        """A few rounds, each with every side once, in random order."""
        found, order = Rounds(self.sides, calls), list(self.sides)
        for _ in range(rounds):
            self.number += 1
            image, halved = self.image(), self.chance.random() < HALVED
            self.chance.shuffle(order)
            for name in order:
                slots, ran = self._block(self.sides[name], image, found.calls_in(halved))
                found.judge[name].append(ran.seconds)
                found.worker[name].append(ran.worker_seconds)
                if name == CANDIDATE:
                    self._look(image, slots, ran)
                    self._written = image, slots
            found.halved.append(halved)
        return found

    def _block(self, side: Side, image: Image, calls: int) -> tuple[list[int], Ran]:
        slots = list(range(calls))
        self.chance.shuffle(slots)
        return slots, side.run(image, slots, self.rotation.call_seeds(self.number, slots))

    def _look(self, image: Image, slots: list[int], ran: Ran) -> None:
        """Take the result of one call out of the stopped worker, perhaps instead of an earlier one.

        Every round is as likely as any other to be among those that are compared in the end
        (reservoir sampling; Vitter 1985, algorithm R).
        """
        place = len(self.picks)
        if place >= self.plan.checks:
            place = self.chance.randrange(self.number)
            if place >= self.plan.checks:
                return
        slot = self.rotation.looked_at(self.number, len(slots), self.plan.looked_at)
        side = self.sides[CANDIDATE]
        result = side.module.result(side.key, ran, slots.index(slot), self.prepared.specs)
        inputs = self.prepared.image([image.sets[slot]]).sets[0]
        seeds = self.rotation.call_seeds(self.number, [slot]) or [0]
        self.picks[place : place + 1] = [Pick((self.number, slot), inputs, seeds[0], result)]

    def left(self) -> Trace:
        """What else than results the candidate's last block wrote."""
        image, slots = self._written
        side = self.sides[CANDIDATE]
        side.module.download(side.key, image.layout.nbytes)
        return trace(image, side.module.process.shared, slots)


def _gpu_flags(bench: Bench) -> Iterator[Flag]:
    """Others on the same GPU, which no clock of ours sees."""
    machine = bench.reference.machine
    if machine.kind == "cpu":
        return
    others = gpu_processes(machine.device) - {os.getpid(), *descendants(os.getpid())}
    if others:
        yield flag(BUSY_MACHINE, f"{len(others)} other processes hold memory of this GPU")


def _rounds(bench: Bench, calls: int) -> tuple[Rounds, tuple[Flag, ...]]:
    """Rounds on a quiet machine; those on a busy one only where there are too few others."""
    plan, seed = bench.plan, bench.reference.seed
    quiet, busy = Rounds(bench.sides, calls), Rounds(bench.sides, calls)
    modules = [bench.reference.oracle, *(side.module for side in bench.sides.values())]
    cores = bench.reference.machine.cores
    start = time.monotonic()
    while len(quiet) < plan.max_rounds:
        meter = LoadMeter([module.process for module in modules], cores)
        window = bench.window(calls)
        external = meter.external_cores() or 0.0
        (quiet if external < BUSY_CORES else busy).extend(window)
        spent = time.monotonic() - start
        if len(quiet) >= plan.min_rounds and (
            spent > plan.budget_s or quiet.are_narrow(plan.relative_width, seed)
        ):
            break
        if spent > plan.budget_s * PATIENCE and len(quiet) + len(busy) >= LEAST_ROUNDS:
            break
    if len(quiet) >= LEAST_ROUNDS:
        return quiet, ()
    evidence = f"others used these cores in {len(busy)} of {len(quiet) + len(busy)} rounds"
    quiet.extend(busy)
    return quiet, (flag(BUSY_MACHINE, evidence),)

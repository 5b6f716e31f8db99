"""The timing of one candidate on one workload in one worker, against baselines.

Workers are stopped except while they handle a request. For a round the judge writes new inputs into
the stopped worker's memory, starts its clock, lets the worker run `n` calls, stops it, and ends the
clock when every thread stands still. Only then it picks calls and reads their results from the
stopped worker's memory. So all work for the results was done between the two ends of the clock, by
whatever code.

The sides take turns in random order, and some rounds have half as many calls. Where results lie is
worth several percent and depends on what a process did before. So all sides do the same, and where
a few percent matter all workers are new.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from kernelwright.errors import InfrastructureError
from kernelwright.schema import BUSY_MACHINE, Flag
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.correctness.rules import must_lie_apart, refused, refused_by
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.runtime import cpu_flags
from kernelwright.verifier.levels import Effort
from kernelwright.verifier.reference.input_pool import BUFFERS_PER_WORKER, FIRST_SINGLE_CALL
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.probe import returns_inputs
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.timing.contention import BUSY_CORES, LoadMeter, gpu_flags, quietly
from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER, Rounds, Timed
from kernelwright.verifier.timing.single_calls import batched
from kernelwright.verifier.timing.spot_checks import (
    SpotCheck,
    check_fresh,
    compare_spot_checks,
    keeps_inputs,
    most_spot_checks,
)
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.input_buffers import InputBuffer, Overwrites, overwrites
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.outputs import RunReply
from kernelwright.verifier.worker.sampler import CodeSamples, Owner
from kernelwright.verifier.worker.tensor_tree import TensorTree

# A new worker's first rounds touch new memory and start its threads.
WARM_UP_ROUNDS = 2
# Heap for results and temporary memory, in times of a round's inputs or results.
HEAP_PER_ROUND = 3
# Share of rounds with half as many iterations.
HALVED = 0.25
# Rounds between two looks at the load of other processes, and at the intervals.
ROUNDS_PER_LOOK = 4
# Fewer rounds tell nothing, however long a call takes.
LEAST_ROUNDS = 8
# Calls of a worker's last round that are checked for returning their inputs.
ALIAS_CHECKS = 4
# Most single calls of a worker.
MOST_SINGLE_CALLS = 120
# The wait for a quiet machine, in times of the level's budget.
PATIENCE = 6


class TimedInstance(NamedTuple):
    """One timed side: an instance in a worker."""

    instance: Instance
    is_baseline: bool

    def run(
        self,
        buffer: InputBuffer,
        slots: list[int],
        seeds: list[int] | None,
        state: TensorTree | None = None,
    ) -> RunReply:
        """Write inputs and call `Instance.run`.

        Args:
            state: parameters and buffers to set before.

        Raises:
            InfrastructureError: a baseline failed, which is not the candidate's fault.
            WorkerFault: the candidate failed.
        """
        try:
            if state is not None:
                self.instance.set_state(state)
            if buffer.mask is None:
                self.instance.write_inputs(buffer, len(slots))
                return self.instance.run(slots, seeds)
            self.instance.write_inputs(buffer.mask.buffer)
            return self.instance.run(slots, seeds, unmask_seed=buffer.mask.seed)
        except WorkerFault as fault:
            if not self.is_baseline:
                raise
            message = f"a baseline failed while it was timed: {fault.reason}"
            raise InfrastructureError(message) from fault


class RoundTimer:
    """A timer of the rounds of one workload.

    Args:
        prepared: the workload with the parameters of all sides.
        sides: `candidate`, `eager`, and `compile` if the level asks for it.
        worker: index of the candidate's worker; no two are timed on the same inputs.
    """

    def __init__(
        self,
        reference: Reference,
        live: LiveWorkload,
        prepared: PreparedWorkload,
        effort: Effort,
        sides: Mapping[str, TimedInstance],
        worker: int = 0,
    ) -> None:
        self.reference = reference
        self.prepared = prepared
        self.effort = effort
        self.pool = live.input_pool(effort.buffer_bytes)
        self.sides = sides
        self.chance = random.SystemRandom()
        self._first = worker * BUFFERS_PER_WORKER
        self.number = self._first
        """Number of this round's buffer; the warm-up has the first one."""
        self.rounds_done = 0
        self.spot_checks: list[SpotCheck] = []
        # A side with history starts each round in the same state, so that its results are known.
        self.state = prepared.state if prepared.traits.depends_on_history else None
        self.most_spot_checks = most_spot_checks(live, effort)
        self.keeps_inputs = keeps_inputs(live, effort)
        self._last: tuple[InputBuffer, list[int], RunReply] | None = None
        """The inputs, slots and reply of the candidate's last round."""

    def buffer(self, calls: int) -> InputBuffer:
        """Return the input buffer of this round; that of the last one is dropped before."""
        self._last = None
        return self.pool.buffer(self.number, calls)

    def warm_up(self, calls: int) -> None:
        """Give all sides their inputs and the same short history."""
        used = math.ceil(self.pool.nbytes * calls / self.pool.layout.slots)
        for side in self.chance.sample(list(self.sides.values()), len(self.sides)):
            side.instance.set_layout(self.pool.layout)
            side.instance.client.prefault(HEAP_PER_ROUND * used)
            for _ in range(WARM_UP_ROUNDS):
                self.run(side, calls)

    def measure(self, calls: int) -> tuple[Rounds, tuple[Flag, ...]]:
        """Time rounds until their ratios are known well enough, or the level's time is over.

        Returns:
            The rounds on a quiet machine; all, with a flag, if these are too few.
        """
        effort, seed = self.effort, self.reference.seed
        quiet, busy = Rounds(self.sides, calls), Rounds(self.sides, calls)
        sides = [side.instance.client for side in self.sides.values()]
        workers = [client.process for client in (self.reference.oracle.client, *sides)]
        start = time.monotonic()
        while len(quiet) < effort.max_rounds:
            meter = LoadMeter(workers, self.reference.machine.cores)
            window = self.time_rounds(calls)
            external = meter.external_cores() or 0.0
            (quiet if external < BUSY_CORES else busy).extend(window)
            spent = time.monotonic() - start
            if len(quiet) >= effort.min_rounds and (
                spent > effort.budget_s or quiet.are_narrow(effort.relative_width, seed)
            ):
                break
            if spent > effort.budget_s * PATIENCE and len(quiet) + len(busy) >= LEAST_ROUNDS:
                break
        if len(quiet) >= LEAST_ROUNDS:
            return quiet, ()
        evidence = f"others used these cores in {len(busy)} of {len(quiet) + len(busy)} rounds"
        quiet.extend(busy)
        return quiet, (flag(BUSY_MACHINE, evidence),)

    def time_rounds(self, calls: int, rounds: int = ROUNDS_PER_LOOK) -> Rounds:
        """Time a few rounds, each with every side once, in random order."""
        found, order = Rounds(self.sides, calls), list(self.sides)
        for _ in range(rounds):
            self.number += 1
            self.rounds_done += 1
            buffer = None  # the last round's goes before this one's is made
            buffer, halved = self.buffer(calls), self.chance.random() < HALVED
            self.chance.shuffle(order)
            for name in order:
                slots = self.shuffled(found.iterations_in(halved))
                seeds = self.pool.call_seeds(self.number, slots)
                ran = self.sides[name].run(buffer, slots, seeds, self.state)
                found.judge[name].append(ran.seconds)
                found.worker[name].append(ran.worker_seconds)
                if name == CANDIDATE:
                    must_lie_apart(ran, self.prepared.traits)
                    self._maybe_spot_check(buffer, slots, ran)
                    self._last = buffer, slots, ran
            found.halved.append(halved)
        return found

    def shuffled(self, calls: int) -> list[int]:
        """Return slots for so many calls of a round, in random order."""
        return self.chance.sample(range(calls), calls)

    def run(self, side: TimedInstance, calls: int) -> RunReply:
        """Let one side run a round with this round's inputs, which is not recorded."""
        slots = self.shuffled(calls)
        seeds = self.pool.call_seeds(self.number, slots)
        return side.run(self.buffer(calls), slots, seeds, self.state)

    def _maybe_spot_check(self, buffer: InputBuffer, slots: list[int], ran: RunReply) -> None:
        """Read one call's result from the stopped worker, perhaps replacing an earlier spot check.

        Every round is as likely as any other to be among those that are compared in the end
        (reservoir sampling; Vitter 1985, algorithm R).
        """
        place = len(self.spot_checks)
        if place >= self.most_spot_checks:
            place = self.chance.randrange(self.rounds_done)
            if place >= self.most_spot_checks:
                return
        slot = self.pool.spot_check_slot(self.number, len(slots), self.effort.spot_check_slots)
        self.spot_checks[place : place + 1] = [
            self._spot_check(slot, buffer.sets[slot], slots, ran)
        ]

    def _spot_check(
        self, slot: int, inputs: TensorTree, slots: list[int], ran: RunReply
    ) -> SpotCheck:
        side, call = self.sides[CANDIDATE], slots.index(slot)
        result = side.instance.result(ran, call, self.prepared.specs)
        seeds = self.pool.call_seeds(self.number, [slot]) or [0]
        kept = self.prepared.input_buffer([inputs]).sets[0] if self.keeps_inputs else None
        return SpotCheck((self.number, slot), kept, seeds[0], result, tuple(slots[:call]))

    def sampled_rounds(self, calls: int, limit_s: float) -> CodeSamples:
        """Run more rounds, in which the running code is sampled."""
        total: Counter[Owner] = Counter()
        start, instance = time.monotonic(), self.sides[CANDIDATE].instance
        while time.monotonic() - start < limit_s and CodeSamples(total).wants_more:
            self.number += 1
            self.rounds_done += 1
            buffer = None
            buffer, slots = self.buffer(calls), self.shuffled(calls)
            if self.state is not None:
                instance.set_state(self.state)
            instance.write_inputs(buffer, calls)
            seeds = self.pool.call_seeds(self.number, slots)
            found, ran = instance.sampled_run(slots, seeds)
            total.update(found.samples)
            self._maybe_spot_check(buffer, slots, ran)
            self._last = buffer, slots, ran
        return CodeSamples(total)

    def single_calls(self, rounds: Rounds) -> Rounds:
        """Time single calls of the candidate and of eager; more of them if they seem slow.

        The candidate's fastest one, which counts, becomes the first spot check. There is one of it,
        however many are timed: comparing takes time, and the checks of the rounds come after it.

        Args:
            rounds: rounds of several iterations, to compare with.
        """
        found = Rounds((CANDIDATE, EAGER), 1)
        self.number = self._first + FIRST_SINGLE_CALL
        fastest: list[SpotCheck] = []
        while rounds.calls > 1 and len(found) < MOST_SINGLE_CALLS:
            fastest = self._measure_singles(found) or fastest
            self.number += 1
            if batched(rounds, found) is None:
                break
        self.spot_checks[:0] = fastest
        return found

    def _measure_singles(self, found: Rounds) -> list[SpotCheck]:
        """Add calls of workers that have no other inputs to what was `found`.

        Returns:
            A spot check of the candidate's fastest call of all, if it is among the new ones.
        """
        sides = {name: self.sides[name] for name in (CANDIDATE, EAGER)}
        buffers = self.pool.single_call_buffers(self.number, self.effort.single_calls)
        fastest: list[SpotCheck] = []
        for side in sides.values():
            side.instance.set_layout(buffers[0].layout)
        for slot, buffer in enumerate(buffers):
            seeds = self.pool.call_seeds(self.number, [slot])
            for name in self.chance.sample(list(sides), len(sides)):
                ran = sides[name].run(buffer, [0], seeds, self.state)
                found.judge[name].append(ran.seconds)
                found.worker[name].append(ran.worker_seconds)
                if name == CANDIDATE and ran.seconds == min(found.judge[name]):
                    fastest = [self._spot_check(slot, buffer.sets[0], [slot], ran)]
            found.halved.append(False)
        return fastest

    def left(self) -> Overwrites:
        """Return what the candidate's last round wrote besides results."""
        assert self._last is not None, "a round ran"
        buffer, slots, _ran = self._last
        instance = self.sides[CANDIDATE].instance
        instance.download(buffer.layout.nbytes)
        return overwrites(buffer, instance.client.process.shared, slots)

    def returns_inputs(self) -> bool:
        """Return whether results of the last round lie in its inputs' memory. Overwrites these."""
        assert self._last is not None, "a round ran"
        buffer, slots, ran = self._last
        instance = self.sides[CANDIDATE].instance
        calls = self.chance.sample(range(len(slots)), min(len(slots), ALIAS_CHECKS))
        return returns_inputs(instance, ran, buffer, calls)


def time_workload(
    check: WorkloadCheck, effort: Effort, calls: int, worker: int, sampling_s: float
) -> Timed:
    """Time a checked candidate against baselines, then check results of timed calls.

    Args:
        calls: iterations of a round.
        worker: index of the candidate's worker.
        sampling_s: most seconds in which the running code is sampled.

    Raises:
        Wrong: a timed call was wrong, or wrote where it must not.
        WorkerFault: the candidate failed.
    """
    sides = {CANDIDATE: TimedInstance(check.instance, is_baseline=False)}
    for name in effort.baselines:
        baseline = check.live.baseline(name)
        if baseline is not None:
            sides[name] = TimedInstance(baseline, is_baseline=True)
    state, changes = check.prepared.state, check.prepared.traits.mutates_state
    for side in sides.values():
        if changes or side.instance.state_set is not state:
            side.instance.set_state(state)
    timer = RoundTimer(check.reference, check.live, check.prepared, effort, sides, worker)
    machine, client = check.reference.machine, check.instance.client
    with check.live.memory.used(_used_bytes(timer)):
        before, running_s = client.process.cpu_seconds(), client.channel.running_s
        with quietly(machine):
            timer.warm_up(calls)
            rounds, busy = timer.measure(calls)
            code_samples = timer.sampled_rounds(calls, sampling_s)
            flags = (*busy, *gpu_flags(machine))
            left, returns_inputs = timer.left(), timer.returns_inputs()
            single_calls = timer.single_calls(rounds)
        after, window_s = client.process.cpu_seconds(), client.channel.running_s - running_s
        if before is not None and after is not None:
            for found in cpu_flags(after - before, window_s, len(machine.cores)):
                raise refused_by(found)
        spot_checks = timer.spot_checks
        del timer  # and with it the last round's inputs
        check.must_have_left_inputs(left)
        if returns_inputs and not check.prepared.traits.returns_inputs:
            raise refused("output-aliases-input", "the result of a timed call is an input")
        checked = compare_spot_checks(check, spot_checks, effort)
        check_fresh(check, effort)
    return Timed(rounds, single_calls, code_samples, flags, checked)


def _used_bytes(timer: RoundTimer) -> int:
    """Return the memory of the spot checks, of two rounds' inputs, and of a case."""
    spot_checks, prepared = timer.most_spot_checks + 1, timer.prepared
    each = prepared.call_bytes if timer.keeps_inputs else prepared.result_bytes
    return spot_checks * each + 2 * timer.pool.buffer_bytes + prepared.case_bytes

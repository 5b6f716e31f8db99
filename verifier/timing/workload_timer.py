"""The timing of a candidate on one workload, and the check of its timed calls' results."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.correctness.rules import must_be_right, refused
from kernelwright.verifier.integrity.runtime import cpu_flags
from kernelwright.verifier.levels import LEAST_SPOT_CHECKS, Baseline, Distribution, Effort
from kernelwright.verifier.reference.workload import Call, Case
from kernelwright.verifier.timing.calibrate import find_iterations
from kernelwright.verifier.timing.measure import (
    RoundTimer,
    SpotCheck,
    TimedInstance,
    measure,
    most_spot_checks,
)
from kernelwright.verifier.timing.rounds import CANDIDATE
from kernelwright.verifier.timing.summary import Timed
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.sampler import CodeSamples

# Longest round of the slowest side, in times of what the level wants.
LONGEST_ROUND = 8


class WorkloadTimer:
    """A timer of one candidate on one workload, in the worker that holds it.

    Args:
        check: the check of the same candidate in the same worker.
    """

    def __init__(self, check: WorkloadCheck) -> None:
        self.check = check
        self.reference = check.reference
        self.live = check.live
        self.instance = check.instance
        self.prepared = check.prepared
        self.key = check.live.name
        self.code_samples = CodeSamples(Counter())
        """Samples of the code that ran in timed rounds."""

    def iterations(self, effort: Effort) -> int:
        """Return how many calls of the fastest side fill a round, limited for the slowest side."""
        found = [self._baseline_calls(name, effort) for name in effort.baselines]
        calls = [count for count in found if count is not None]
        # Start from the fastest baseline's seconds per call, unless the candidate is too slow.
        guess = max(effort.round_s / max(calls, default=1), self.check.call_s / LONGEST_ROUND)
        calls.append(self._filling(self._side, effort, guess))
        return min(max(calls), LONGEST_ROUND * min(calls))

    def _baseline_calls(self, name: Baseline, effort: Effort) -> int | None:
        """Return a baseline's iterations, measured once a run; None if it does not compile."""

        def measure(instance: Instance) -> int:
            return self._filling(TimedInstance(instance, True), effort, effort.round_s)

        return self.live.iterations(name, effort.round_s, measure)

    def _filling(self, side: TimedInstance, effort: Effort, call_s: float) -> int:
        return find_iterations(self.reference, self.live, self.prepared, side, effort, call_s)

    @property
    def _side(self) -> TimedInstance:
        return TimedInstance(self.instance, is_baseline=False)

    def _baselines(self, names: Sequence[Baseline]) -> dict[str, TimedInstance]:
        found = {name: self.live.baseline(self.prepared, name) for name in names}
        return {name: TimedInstance(one, True) for name, one in found.items() if one}

    def time(self, effort: Effort, calls: int, worker: int, sampling_s: float) -> Timed:
        """Time against baselines, then check results of timed calls.

        Args:
            calls: iterations of a round.
            worker: index of the candidate's worker.
            sampling_s: see `measure`.
        """
        sides = {CANDIDATE: self._side, **self._baselines(effort.baselines)}
        if self.prepared.traits.mutates_state:
            for side in sides.values():
                side.instance.set_state(self.prepared.state)
        with self.live.memory.used(self._used_bytes(effort)):
            return self._timed(effort, sides, calls, worker, sampling_s)

    def _used_bytes(self, effort: Effort) -> int:
        """Return the memory of the spot checks, of two rounds' inputs, and of a case."""
        pool = self.live.input_pool(effort.buffer_bytes)
        spot_checks = most_spot_checks(self.live, effort) + 1
        return (
            spot_checks * self.prepared.call_bytes
            + 2 * pool.buffer_bytes
            + self.prepared.case_bytes
        )

    def _timed(
        self,
        effort: Effort,
        sides: Mapping[str, TimedInstance],
        calls: int,
        worker: int,
        sampling_s: float,
    ) -> Timed:
        client = self.instance.client
        before = client.process.cpu_seconds() or 0.0, client.running_s
        timer = RoundTimer(self.reference, self.live, self.prepared, effort, sides, worker)
        measured = measure(timer, calls, sampling_s)
        used = (client.process.cpu_seconds() or 0.0) - before[0]
        running_s = client.running_s - before[1]
        for found in cpu_flags(used, running_s, len(self.reference.machine.cores)):
            raise refused(found.rule, found.evidence)
        self.code_samples = measured.code_samples
        self.check.must_have_left_inputs(measured.overwrites)
        if measured.returns_inputs and not self.prepared.traits.returns_inputs:
            raise refused("output-aliases-input", "the result of a timed call is an input")
        checked = self._compare_spot_checks(measured.spot_checks, effort)
        self._check_fresh(effort)
        return Timed(measured.rounds, measured.single_calls, measured.flags, checked)

    def _compare_spot_checks(self, spot_checks: list[SpotCheck], effort: Effort) -> int:
        """Compare results of timed calls, as they lay in memory when the clock had stopped.

        Returns:
            Number of compared results, which are taken from the list.
        """
        start, number = time.monotonic(), 0
        while spot_checks:
            if number >= LEAST_SPOT_CHECKS and time.monotonic() - start > effort.spot_checks_s:
                return number
            spot_check = spot_checks.pop(0)
            number += 1
            earlier: tuple[Call, ...] = ()
            if self.prepared.traits.depends_on_history:
                earlier = self._earlier(spot_check, effort)
            place = None if effort.spot_check_slots is None or earlier else spot_check.place
            calls = *earlier, Call(spot_check.inputs, spot_check.seed)
            expected = self.live.expect(self.prepared, *calls, place=place)
            case = Case(spot_check.seed, "reference", spot_check.inputs, expected, earlier)
            must_be_right(self.check.checker.check(case, spot_check.result), "a timed call")
            del expected, case, calls  # before the next one is made
        return number

    def _earlier(self, spot_check: SpotCheck, effort: Effort) -> tuple[Call, ...]:
        """Return the calls before a spot check in its round; make their buffer anew if not kept."""
        number, _slot = spot_check.place
        pool = self.live.input_pool(effort.buffer_bytes)
        slots = spot_check.earlier
        sets = pool.buffer(number, 1 + max(slots, default=0)).sets
        seeds = pool.call_seeds(number, slots) or [spot_check.seed] * len(slots)
        return tuple(Call(sets[s], seed) for s, seed in zip(slots, seeds, strict=True))

    def _check_fresh(self, effort: Effort) -> None:
        """Check one more call on inputs that no worker has seen, with the state set back.

        A new worker is also checked on inputs of a random case's distribution: it has not had those
        yet, and could have guessed that it was only timed.
        """
        distributions: list[Distribution] = ["reference"]
        if effort.times_new_workers:
            chosen = random.SystemRandom().choice(effort.cases)
            distributions.append(self.live.distribution(self.prepared, *chosen))
        for distribution in distributions:
            self._check_one_more(distribution)

    def _check_one_more(self, distribution: Distribution) -> None:
        case = self.live.fresh_case(self.prepared, distribution)
        for result in self.check.results([case]):
            must_be_right(self.check.checker.check(case, result), "wrong after being timed")

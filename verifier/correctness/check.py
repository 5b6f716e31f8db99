"""One candidate on one workload: its values against the expected ones, then its times."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from kernelwright.schema import (
    Candidate,
    Correctness,
    Evidence,
    Flag,
    Status,
    Timing,
    ToleranceName,
    WorkloadResult,
)
from kernelwright.verifier.build.build import load_candidate
from kernelwright.verifier.correctness.precision import precision_flags
from kernelwright.verifier.correctness.rules import (
    Checker,
    Wrong,
    must_be_right,
    must_lie_apart,
    refused,
)
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.physical import arithmetic_flags, memory_flags
from kernelwright.verifier.integrity.runtime import cpu_flags
from kernelwright.verifier.levels import LEAST_CHECKS, Baseline, Distribution, Plan
from kernelwright.verifier.profiling.evidence import gather
from kernelwright.verifier.reference.probe import returns_inputs
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import Call, Case, Expected, Prepared
from kernelwright.verifier.timing.measure import Pick, Side, calls_per_block, measure
from kernelwright.verifier.timing.rounds import CANDIDATE
from kernelwright.verifier.timing.summary import Timed
from kernelwright.verifier.tolerance import Difference, compare
from kernelwright.verifier.worker.client import RemoteModule
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.input_buffers import Image, Trace, trace
from kernelwright.verifier.worker.outputs import Ran, same_order
from kernelwright.verifier.worker.sampler import Engagement
from kernelwright.verifier.worker.tensor_tree import Values, same_bits

Weights = Literal["state_dict", "seed", "none"]
# Cases that are run together, in bytes of inputs; at least two.
TOGETHER_BYTES = 256 * 2**20
# Block of the slowest side, in times of what the plan wants.
LONGEST_BLOCK = 8


class Trial:
    """One candidate on one workload."""

    def __init__(
        self,
        reference: Reference,
        tolerance: ToleranceName,
        candidate: Candidate,
        module: RemoteModule,
        prepared: Prepared,
    ) -> None:
        self.reference = reference
        self.tolerance = tolerance
        self.module = module
        self.prepared = prepared
        self.key = prepared.workload.name
        self.flags: list[Flag] = []
        self.call_s = math.inf
        """Seconds of a call as far as is known: at first the least of those that were checked."""
        self.engagement = Engagement(Counter())
        """Whose code was found running while it was timed."""
        trained = reference.trained(prepared)
        # Before its first call, as one loads a trained model.
        copied, own = load_candidate(module, candidate, trained)
        module.must_be_read = reference.was_read
        self.weights: Weights = _weights(copied, own, len(prepared.state.tensors))
        if self.weights != "seed":
            self.prepared = trained
        elif copied:
            module.set_state(self.key, prepared.state)
        self.checker = Checker(reference, self.prepared, tolerance)

    # -- values -----------------------------------------------------------------------------------

    def check(self, plan: Plan) -> WorkloadResult:
        """Compare values on every case of the plan. Raises Wrong or WorkerFault."""
        cases = [self.reference.case(self.prepared, *case) for case in plan.cases]
        differences: list[Difference] = []
        repeatable: bool | None = None
        for group in self._groups(cases):
            results = self._results(group)
            if group[0] is group[-1] and len(group) > 1:
                repeatable = same_bits(results[0], results[-1])
            for case, result in zip(group, results, strict=True):
                differences += self._compared(case, result, differences, len(cases))
        if repeatable is False:
            self.flags.append(flag("not-repeatable", "same inputs twice, other bits"))
        golden = all(case.expected.golden is not None for case in cases)
        return self._result(differences, len(cases), golden, repeatable)

    def _groups(self, cases: list[Case]) -> Iterator[list[Case]]:
        """Cases that are run together; the first once more at the end of the first group."""
        nature = self.prepared.nature
        if nature.stateful:
            yield from ([case] for case in cases)
            return
        size = max(2, TOGETHER_BYTES // max(1, self.prepared.like.nbytes))
        first, rest = cases[: size - 1], cases[size - 1 :]
        yield [*first, first[0]]
        yield from (rest[start : start + size] for start in range(0, len(rest), size))

    def _results(self, group: list[Case]) -> list[Values]:
        if self.prepared.nature.stateful:
            self.module.set_state(self.key, self.prepared.state)
        image = self.prepared.image([case.inputs for case in group])
        self.module.show(self.key, image)
        seeds = [case.seed for case in group] if self.prepared.nature.draws else None
        ran = self.module.run(self.key, range(len(group)), seeds, poison=True)
        self.call_s = min(self.call_s, ran.seconds / len(group))
        self._check_form(ran)
        results = [
            self.module.result(self.key, ran, call, self.prepared.specs)
            for call in range(len(group))
        ]
        self._note_strides(ran)
        self._check_memory(group, ran, image)
        if self.prepared.nature.stateful:
            self._check_state(group[0].expected)
        return results

    def _check_form(self, ran: Ran) -> None:
        device = self.reference.machine.kind
        for index, entry in enumerate(ran.entries):
            if entry["device"] != device:
                reason = f"output {index} is on device {entry['device']!r}, expected {device!r}"
                raise Wrong(Status.INCORRECT_DTYPE, reason)

    def _note_strides(self, ran: Ran) -> None:
        """Of results whose shapes are right."""
        for index, (entry, wanted) in enumerate(
            zip(ran.entries, self.prepared.strides, strict=True)
        ):
            if not same_order(entry, wanted):
                words = f"output {index}: {entry['strides']}, the reference's: {wanted}"
                self.flags.append(flag("strides-differ", words))

    def _check_memory(self, group: list[Case], ran: Ran, image: Image) -> None:
        nature = self.prepared.nature
        self.module.download(self.key, image.layout.nbytes)
        self._check_trace(trace(image, self.module.process.shared, range(len(group))))
        if nature.changes_inputs:
            after = Image(image.layout)
            after.read(self.module.process.shared)
            for case, left in zip(group, after.sets, strict=True):
                assert case.expected.inputs is not None
                inputs = Expected(case.expected.inputs, None, None, None)
                found = self.checker.differences(left, inputs, False)
                must_be_right(found, "inputs after the call")
        must_lie_apart(ran, nature)
        if not nature.returns_inputs and returns_inputs(self.module, self.key, ran, image, [0]):
            raise refused("output-aliases-input", "a result lies in the memory of an input")

    def _check_trace(self, left: Trace) -> None:
        if left.guard:
            raise refused("guard-overwritten", "the call wrote outside of its inputs' memory")
        if left.inputs and not self.prepared.nature.changes_inputs:
            raise refused("inputs-changed", "the inputs were changed by the call")

    def _check_state(self, expected: Expected) -> None:
        assert expected.state is not None
        if self.weights != "state_dict":
            evidence = "its parameters and buffers have other names than the reference's"
            if self.prepared.nature.remembers:  # it can't be told what to go on from
                raise Wrong(Status.INCORRECT_SHAPE, f"{evidence}, whose calls depend on them")
            self.flags.append(flag("state-not-compared", evidence))
            return
        own = self.module.state(self.key).unpacked()
        for name, value in expected.state.unpacked().items():
            if name not in own or own[name].shape != value.shape or own[name].dtype != value.dtype:
                raise Wrong(Status.INCORRECT_SHAPE, f"buffer {name!r} is not the reference's")
            difference = compare(own[name], value, None, self.tolerance)
            if difference.reason is not None:
                reason = f"buffer {name!r} after a call: {difference.reason}"
                raise Wrong(Status.INCORRECT_NUMERICAL, reason)

    def _compared(
        self, case: Case, result: Values, before: list[Difference], cases: int
    ) -> list[Difference]:
        found = self.checker.check(case, result)
        wrong = [difference for difference in found if difference.reason is not None]
        if wrong:
            golden = case.expected.golden is not None
            whole = self._result([*before, *found], cases, golden, None)
            where = f"workload {self.key!r}, {case.distribution} inputs"
            flags = list(precision_flags(wrong, self.prepared.specs))
            reason = f"{where}: {wrong[0].reason}{self._without_parameters()}"
            raise Wrong(Status.INCORRECT_NUMERICAL, reason, whole, flags)
        if self.tolerance != "default":
            self.flags += precision_flags(found, self.prepared.specs)
        return found

    def _without_parameters(self) -> str:
        """What may be the cause of wrong values."""
        if self.weights == "none" and self.prepared.trained:
            return "; it has no parameters, and the reference's are not those of its constructor"
        return ""

    def _result(
        self, differences: list[Difference], cases: int, golden: bool, repeatable: bool | None
    ) -> WorkloadResult:
        finite = [d for d in differences if d.max_abs_error != float("inf")]
        correctness = Correctness(
            cases=cases,
            golden="float64" if golden else "reference",
            max_abs_error=max((d.max_abs_error for d in finite), default=None),
            reference_max_abs_error=max((d.reference_max_abs_error for d in finite), default=None),
            worst_margin=max((d.margin for d in finite if math.isfinite(d.margin)), default=None),
            bitwise_repeatable=repeatable,
            weights=self.weights,
        )
        return WorkloadResult(workload=self.key, correctness=correctness)

    # -- times ------------------------------------------------------------------------------------

    def calls_per_block(self, plan: Plan) -> int:
        """How many calls fill a block: of the fastest side, but not too many for the slowest."""
        found = [self._baseline_calls(name, plan) for name in plan.baselines]
        calls = [count for count in found if count is not None]
        # Begins with what eager would need, where that can't take long.
        guess = max(plan.block_s / max(calls, default=1), self.call_s / LONGEST_BLOCK)
        calls.append(calls_per_block(self.reference, self.prepared, self._side, plan, guess))
        return min(max(calls), LONGEST_BLOCK * min(calls))

    def _baseline_calls(self, name: Baseline, plan: Plan) -> int | None:
        """Found once a run; None where torch.compile can't have the reference."""
        known, index = self.reference.calls_per_block, (self.key, name, plan.block_s)
        if index not in known:
            side = self._baselines([name]).get(name)
            known[index] = side and calls_per_block(
                self.reference, self.prepared, side, plan, plan.block_s
            )
        return known[index]

    @property
    def _side(self) -> Side:
        return Side(self.module, self.key, is_baseline=False)

    def _baselines(self, names: Sequence[Baseline]) -> dict[str, Side]:
        found = {name: self.reference.baseline(self.prepared, name) for name in names}
        return {name: Side(module, self.key, True) for name, module in found.items() if module}

    def time(self, plan: Plan, calls: int, worker: int, watch_s: float) -> Timed:
        """Time against baselines, then look at results of timed calls.

        Args:
            calls: in a block.
            worker: which of the candidate's it is.
            watch_s: see `measure`.
        """
        sides = {CANDIDATE: self._side, **self._baselines(plan.baselines)}
        if self.prepared.nature.stateful:
            for side in sides.values():
                side.module.set_state(self.key, self.prepared.state)
        before = self.module.process.cpu_seconds() or 0.0, self.module.running_s
        measured = measure(self.reference, self.prepared, plan, sides, calls, worker, watch_s)
        used = (self.module.process.cpu_seconds() or 0.0) - before[0]
        running_s = self.module.running_s - before[1]
        for found in cpu_flags(used, running_s, len(self.reference.machine.cores)):
            raise refused(found.rule, found.evidence)
        self.engagement = measured.engagement
        self._check_trace(measured.trace)
        if measured.returns_inputs and not self.prepared.nature.returns_inputs:
            raise refused("output-aliases-input", "the result of a timed call is an input")
        self.call_s = float(np.median(measured.rounds.per_call(CANDIDATE).judge))
        checked = self._check_picks(measured.picks, plan)
        self._check_fresh(plan)
        return Timed(measured.rounds, measured.alone, measured.flags, checked)

    def _check_picks(self, picks: list[Pick], plan: Plan) -> int:
        """Compare results of timed calls, as they lay in memory when the clock had stopped.

        Returns:
            How many were compared.
        """
        start = time.monotonic()
        for number, pick in enumerate(picks):
            if number >= LEAST_CHECKS and time.monotonic() - start > plan.checks_s:
                return number
            earlier = self._earlier(pick, plan) if self.prepared.nature.remembers else ()
            place = None if plan.looked_at is None or earlier else pick.place
            calls = *earlier, Call(pick.inputs, pick.seed)
            expected = self.reference.expect(self.prepared, *calls, place=place)
            case = Case(pick.seed, "reference", pick.inputs, expected, earlier)
            must_be_right(self.checker.check(case, pick.result), "a timed call")
        return len(picks)

    def _earlier(self, pick: Pick, plan: Plan) -> tuple[Call, ...]:
        """The calls before it in its block; its image is made anew where it was not kept."""
        number, _slot = pick.place
        rotation = self.reference.rotation(self.prepared, plan.image_bytes)
        sets = self.reference.image(rotation, number, 1 + max(pick.earlier, default=0)).sets
        seeds = rotation.call_seeds(number, pick.earlier) or [pick.seed] * len(pick.earlier)
        return tuple(Call(sets[s], seed) for s, seed in zip(pick.earlier, seeds, strict=True))

    def _check_fresh(self, plan: Plan) -> None:
        """Once more on inputs that nobody has seen, its state set back.

        A new worker also on inputs of another distribution: it has not been asked about those yet,
        and could have guessed that it was only timed.
        """
        distributions: list[Distribution] = ["reference"]
        if plan.times_new_workers:
            case = self.reference.case(self.prepared, *random.SystemRandom().choice(plan.cases))
            distributions.append(case.distribution)
        for distribution in distributions:
            case = self.reference.fresh_case(self.prepared, distribution)
            for result in self._results([case]):
                must_be_right(self.checker.check(case, result), "wrong after being timed")

    def physical_flags(self, seconds: float) -> list[Flag]:
        """Whether the machine allows this time of a call."""
        peaks, flops = self.reference.peaks, self.reference.flops(self.prepared)
        return [
            *memory_flags(peaks, self.prepared.result_bytes, seconds),
            *arithmetic_flags(peaks, flops, seconds),
        ]

    def evidence(self, timing: Mapping[str, Timing]) -> Evidence | None:
        """Where the time of the timed candidate goes; None where it can't be profiled."""
        try:
            return gather(self.reference, self.prepared, self.module, timing)
        except WorkerFault:
            return None


def _weights(copied: int, own: int, reference: int) -> Weights:
    if own == 0:
        return "none"
    return "state_dict" if copied == own == reference else "seed"

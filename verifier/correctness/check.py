"""The correctness check: a candidate's values on one workload against the expected ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Self

from kernelwright.schema import Candidate, Correctness, Flag, Status, ToleranceName, WorkloadResult
from kernelwright.verifier.correctness.precision import precision_flags
from kernelwright.verifier.correctness.rules import Checker, must_be_right, must_lie_apart, refused
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.levels import Distribution, Effort
from kernelwright.verifier.reference.candidates import load_candidate
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.probe import returns_inputs
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import Case, Expected
from kernelwright.verifier.tolerance import Difference, compare
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import Wrong
from kernelwright.verifier.worker.input_buffers import InputBuffer, Overwrites, overwrites
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.outputs import RunReply, same_order
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_bits

Weights = Literal["state_dict", "seed", "none"]
CaseKey = tuple[int, Distribution]
# Bytes of inputs of the cases that are run together; at least two cases are.
TOGETHER_BYTES = 256 * 2**20


@dataclass
class Compared:
    """The results of the comparisons so far."""

    cases: int
    """Number of cases that are to be compared."""
    differences: list[Difference] = field(default_factory=list)
    """One for each output of each case."""
    has_golden: bool = True
    """Each was compared with float64 values."""
    repeatable: bool | None = None
    """Whether the same inputs gave the same bits; None before it is known."""
    moved: int = 0
    """Number of cases with other Python numbers than the workload's."""


class WorkloadCheck:
    """The correctness check of one candidate on one workload.

    Args:
        instance: the candidate's, in its worker.
        weights: where its parameters come from.
    """

    def __init__(
        self, reference: Reference, live: LiveWorkload, instance: Instance, weights: Weights
    ) -> None:
        self.reference = reference
        self.live = live
        self.instance = instance
        self.weights: Weights = weights
        self.prepared = live.prepared if weights == "seed" else live.perturbed
        """The workload with the parameters that the candidate has."""
        self.tolerance: ToleranceName = reference.task.tolerance
        self.checker = Checker(live, self.prepared, self.tolerance)
        self.flags: list[Flag] = []
        self.call_s = math.inf
        """Least seconds of a checked call."""

    @classmethod
    def load(
        cls,
        reference: Reference,
        candidate: Candidate,
        client: WorkerClient,
        live: LiveWorkload,
    ) -> Self:
        """Load a candidate in a worker, with the reference's parameters where they fit.

        Raises:
            WorkerFault: it does not load.
        """
        # Before the first call, as for a trained model.
        instance, copied, own = load_candidate(client, candidate, live.perturbed)
        client.must_be_read = reference.oracle.was_read
        weights = _weights(copied, own, len(live.prepared.state.tensors))
        if weights == "seed" and copied:
            instance.set_state(live.prepared.state)
        return cls(reference, live, instance, weights)

    def run(self, effort: Effort) -> WorkloadResult:
        """Compare values on every case of the effort. Raises Wrong or WorkerFault."""
        found = Compared(len(effort.cases))
        for group in self._groups(effort.cases):
            with self._room(len(group), len(effort.cases)):
                self._check_group(group, found)
        if found.repeatable is False:
            self.flags.append(flag("not-repeatable", "same inputs twice, other bits"))
        return self._result(found)

    def _check_group(self, group: Sequence[CaseKey], found: Compared) -> None:
        """Run some cases together and compare their results."""
        made = {key: self.live.case(self.prepared, *key) for key in dict.fromkeys(group)}
        found.moved += sum(not self.prepared.fits(case.inputs) for case in made.values())
        cases = [made[key] for key in group]
        results = self.results(cases)
        if group[0] == group[-1] and len(group) > 1:
            found.repeatable = same_bits(results[0], results[-1])
        for case, result in zip(cases, results, strict=True):
            found.has_golden = found.has_golden and case.expected.golden is not None
            self._compare(case, result, found)

    def _are_kept(self, count: int) -> bool:
        """Return whether so many cases fit into memory, with a call for each."""
        prepared = self.prepared
        both = prepared.case_bytes + prepared.call_bytes
        return count * both <= self.live.memory.unused_bytes

    def _room(self, calls: int, count: int) -> AbstractContextManager[None]:
        """Return the memory for a group of so many calls of `count` cases."""
        prepared = self.prepared
        cases = 0 if self._are_kept(count) else calls * prepared.case_bytes
        return self.live.memory.used(cases + (calls + 1) * prepared.call_bytes)

    def _groups(self, cases: Sequence[CaseKey]) -> Iterator[Sequence[CaseKey]]:
        """Yield groups of cases to run together; the first group ends with its first case again.

        Where they are large, only so many as take half of the memory are run together.
        """
        prepared = self.prepared
        if prepared.traits.mutates_state:
            yield from ([case] for case in cases)
            return
        size = max(2, TOGETHER_BYTES // max(1, prepared.example_inputs.nbytes))
        if not self._are_kept(len(cases)):
            half = self.live.memory.unused_bytes // 2
            size = max(1, min(size, half // (prepared.case_bytes + prepared.call_bytes)))
        first, *others = self._by_numbers(cases)
        twice = max(1, size - 1)
        yield [*first[:twice], first[0]]
        for rest in (first[twice:], *others):
            yield from (rest[start : start + size] for start in range(0, len(rest), size))

    def _by_numbers(self, cases: Sequence[CaseKey]) -> list[list[CaseKey]]:
        """Return the cases by the Python numbers of their inputs, which calls of a run share."""
        forms: dict[str, list[CaseKey]] = {}
        for key in cases:
            tree = self.prepared.example_inputs.tree
            if self.prepared.example_inputs.has_numbers:
                tree = self.live.case(self.prepared, *key).inputs.tree
            forms.setdefault(json.dumps(tree), []).append(key)
        return list(forms.values())

    def results(self, group: list[Case]) -> list[TensorTree]:
        """Run some cases together and return their results.

        Raises:
            Wrong: the results' form, or the memory after the calls, is not the reference's.
        """
        if self.prepared.traits.mutates_state:
            self.instance.set_state(self.prepared.state)
        buffer = self.prepared.input_buffer([case.inputs for case in group])
        self.instance.set_inputs(buffer)
        seeds = [case.seed for case in group] if self.prepared.traits.uses_rng else None
        ran = self.instance.run(range(len(group)), seeds, poison=True)
        self.call_s = min(self.call_s, ran.seconds / len(group))
        self._check_form(ran)
        results = [
            self.instance.result(ran, call, self.prepared.specs) for call in range(len(group))
        ]
        self._note_strides(ran)
        self._check_memory(group, ran, buffer)
        if self.prepared.traits.mutates_state:
            self._check_state(group[0].expected)
        return results

    def _check_form(self, ran: RunReply) -> None:
        device = self.reference.machine.kind
        for index, entry in enumerate(ran.entries):
            if entry["device"] != device:
                reason = f"output {index} is on device {entry['device']!r}, expected {device!r}"
                raise Wrong(Status.INCORRECT_DTYPE, reason)

    def _note_strides(self, ran: RunReply) -> None:
        """Flag outputs with other strides than the reference's."""
        for index, (entry, wanted) in enumerate(
            zip(ran.entries, self.prepared.strides, strict=True)
        ):
            if not same_order(entry, wanted):
                words = f"output {index}: {entry['strides']}, the reference's: {wanted}"
                self.flags.append(flag("strides-differ", words))

    def _check_memory(self, group: list[Case], ran: RunReply, buffer: InputBuffer) -> None:
        traits = self.prepared.traits
        self.instance.download(buffer.layout.nbytes)
        self.must_have_left_inputs(
            overwrites(buffer, self.instance.client.process.shared, range(len(group)))
        )
        if traits.changes_inputs:
            after = InputBuffer(buffer.layout)
            after.read(self.instance.client.process.shared)
            for case, left in zip(group, after.sets, strict=True):
                assert case.expected.inputs is not None
                inputs = Expected(case.expected.inputs, None, None, None)
                found = self.checker.differences(left, inputs, False)
                must_be_right(found, "inputs after the call")
        must_lie_apart(ran, traits)
        if not traits.returns_inputs and returns_inputs(self.instance, ran, buffer, [0]):
            raise refused("output-aliases-input", "a result lies in the memory of an input")

    def must_have_left_inputs(self, left: Overwrites) -> None:
        """Raise Wrong if calls wrote to their inputs, or outside of them."""
        if left.guard:
            raise refused("guard-overwritten", "the call wrote outside of its inputs' memory")
        if left.inputs and not self.prepared.traits.changes_inputs:
            raise refused("inputs-changed", "the inputs were changed by the call")

    def _check_state(self, expected: Expected) -> None:
        assert expected.state is not None
        if self.weights != "state_dict":
            evidence = "its parameters and buffers have other names than the reference's"
            if self.prepared.traits.depends_on_history:  # the candidate's state can't be set
                raise Wrong(Status.INCORRECT_SHAPE, f"{evidence}, whose calls depend on them")
            self.flags.append(flag("state-not-compared", evidence))
            return
        own = self.instance.state().unpacked()
        for name, value in expected.state.unpacked().items():
            if name not in own or own[name].shape != value.shape or own[name].dtype != value.dtype:
                raise Wrong(Status.INCORRECT_SHAPE, f"buffer {name!r} is not the reference's")
            difference = compare(own[name], value, None, self.tolerance)
            if difference.reason is not None:
                reason = f"buffer {name!r} after a call: {difference.reason}"
                raise Wrong(Status.INCORRECT_NUMERICAL, reason)

    def _compare(self, case: Case, result: TensorTree, found: Compared) -> None:
        """Compare the results of a case. Raises Wrong."""
        own = self.checker.check(case, result)
        found.differences += own
        wrong = [difference for difference in own if difference.reason is not None]
        if wrong:
            where = f"workload {self.live.name!r}, {case.distribution} inputs"
            if not self.prepared.fits(case.inputs):
                where += " with another number"
            flags = list(precision_flags(wrong, self.prepared.specs))
            reason = f"{where}: {wrong[0].reason}{self._without_parameters()}"
            so_far, at = self._result(found), wrong[0].wrong
            raise Wrong(Status.INCORRECT_NUMERICAL, reason, so_far, flags, at)
        if self.tolerance != "default":
            self.flags += precision_flags(own, self.prepared.specs)

    def _without_parameters(self) -> str:
        """Return a likely cause of wrong values as words for the reason, or nothing."""
        if self.weights == "none" and self.prepared.has_perturbed_weights:
            return "; it has no parameters, and the reference's are not those of its constructor"
        return ""

    def _result(self, found: Compared) -> WorkloadResult:
        finite = [d for d in found.differences if d.max_abs_error != float("inf")]
        correctness = Correctness(
            cases=found.cases,
            golden="float64" if found.has_golden else "reference",
            max_abs_error=max((d.max_abs_error for d in finite), default=None),
            reference_max_abs_error=max((d.reference_max_abs_error for d in finite), default=None),
            worst_margin=max((d.margin for d in finite if math.isfinite(d.margin)), default=None),
            bitwise_repeatable=found.repeatable,
            weights=self.weights,
            moved_numbers=found.moved,
        )
        return WorkloadResult(workload=self.live.name, correctness=correctness)


def _weights(copied: int, own: int, reference: int) -> Weights:
    if own == 0:
        return "none"
    return "state_dict" if copied == own == reference else "seed"

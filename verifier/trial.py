"""One candidate on one workload: its values against the expected ones, then its times."""

from __future__ import annotations

import math
from typing import Literal

import torch

from kernelwright.schema import (
    Candidate,
    Correctness,
    Evidence,
    Status,
    ToleranceName,
    WorkloadResult,
)
from kernelwright.verifier.build import load_candidate
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.comparison import Difference, compare
from kernelwright.verifier.evidence import gather
from kernelwright.verifier.levels import Plan
from kernelwright.verifier.reference import TIMED_SLOT, Case, Prepared, Reference
from kernelwright.verifier.remote import RemoteModule, Values, specs
from kernelwright.verifier.timing import Measured, Side, measure
from kernelwright.verifier.worker import BEFORE

Weights = Literal["state_dict", "seed", "none"]


class Wrong(Exception):
    """The candidate's values are not right; ends the correctness phase."""

    def __init__(self, status: Status, reason: str, result: WorkloadResult | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.result = result


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
        copied, own = load_candidate(module, candidate, prepared)
        self.weights: Weights = _weights(copied, own, len(prepared.state.tensors))

    def check(self, plan: Plan) -> WorkloadResult:
        """Compare values on every case of the plan. Raises Wrong or WorkerFault."""
        differences: list[Difference] = []
        golden = True
        for seed, distribution in plan.cases:
            case = self.reference.case(self.prepared, seed, distribution)
            golden = golden and case.golden is not None
            differences += self._compare_case(case)
            wrong = [d for d in differences if d.reason is not None]
            if wrong:
                result = self._result(differences, len(plan.cases), golden, None)
                where = f"workload {self.key!r}, {distribution} inputs"
                raise Wrong(Status.INCORRECT_NUMERICAL, f"{where}: {wrong[0].reason}", result)
        self._check_results_last(plan)
        return self._result(differences, len(plan.cases), golden, self._repeatable(plan))

    def _check_results_last(self, plan: Plan) -> None:
        """A result must survive the next call: no buffer may be handed out twice."""
        if self.prepared.stateful:
            return  # what is returned may be the state itself
        one, other = (self.reference.case(self.prepared, *case) for case in plan.cases[:2])
        first = self._outputs(one, slot=1)
        self._outputs(other, slot=2)
        kept = self.module.fetch(self.key, slot=BEFORE, expect=self.prepared.specs)
        pairs = zip(kept.tensors, first.tensors, strict=True)
        if not all(_same_bits(a, b) for a, b in pairs):
            raise Wrong(Status.REWARD_HACK, "a result was overwritten by the next call")

    def check_again(self) -> None:
        """After timing: values nobody has seen yet must still be right."""
        case = self.reference.fresh_case(self.prepared)
        # Into a slot that was timed: who keeps results by address gives an old one.
        for difference in self._compare_case(case, TIMED_SLOT):
            if difference.reason is not None:
                reason = f"wrong after being timed: {difference.reason}"
                raise Wrong(Status.INCORRECT_NUMERICAL, reason)

    def _outputs(self, case: Case, slot: int = 0) -> Values:
        if self.prepared.stateful:
            self.module.set_state(self.key, self.prepared.state)
        self.module.put(self.key, slot, case.inputs)
        self.module.call(self.key, slot, case.seed)
        return self.module.fetch(self.key, expect=self.prepared.specs)

    def _compare_case(self, case: Case, slot: int = 0) -> list[Difference]:
        outputs = self._outputs(case, slot)
        if outputs.tree != case.expected.tree:
            raise Wrong(Status.INCORRECT_SHAPE, "the outputs are nested in another way")
        self._check_inputs_kept(case, slot)
        golden = case.golden.tensors if case.golden else [None] * len(outputs.tensors)
        triples = zip(outputs.tensors, case.expected.tensors, golden, strict=True)
        return [compare(own, expected, truth, self.tolerance) for own, expected, truth in triples]

    def _check_inputs_kept(self, case: Case, slot: int) -> None:
        changed = Wrong(Status.REWARD_HACK, "the inputs were changed by the call")
        try:
            kept = self.module.fetch(self.key, slot=slot, expect=specs(case.inputs))
        except WorkerFault as fault:
            if fault.status in (Status.INCORRECT_SHAPE, Status.INCORRECT_DTYPE):
                raise changed from fault
            raise
        pairs = zip(kept.tensors, case.inputs.tensors, strict=True)
        if kept.tree != case.inputs.tree or not all(_same_bits(a, b) for a, b in pairs):
            raise changed

    def _repeatable(self, plan: Plan) -> bool:
        seed, distribution = plan.cases[0]
        case = self.reference.case(self.prepared, seed, distribution)
        first, second = self._outputs(case), self._outputs(case)
        pairs = zip(first.tensors, second.tensors, strict=True)
        return all(_same_bits(a, b) for a, b in pairs)

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

    def evidence(self, measured: Measured) -> Evidence | None:
        """Where the time of the timed candidate goes; None where it can't be profiled."""
        timing = measured.timing["candidate"]
        try:
            return gather(self.reference, self.prepared, self.module, TIMED_SLOT, timing)
        except WorkerFault:
            return None

    def time(self, plan: Plan) -> Measured:
        """Time against the plan's baselines, then check values once more."""
        found = {name: self.reference.side(self.prepared, name) for name in plan.baselines}
        sides: dict[str, Side] = {name: side for name, side in found.items() if side}
        slots = self.reference.fill_slots(self.module, self.prepared)
        sides["candidate"] = Side(self.module, slots, is_baseline=False)
        measured = measure(self.key, sides, plan, self.reference.seed)
        self.check_again()
        return measured


def _weights(copied: int, own: int, reference: int) -> Weights:
    if reference == 0 and own == 0:
        return "none"
    return "state_dict" if copied == own == reference else "seed"


def _same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    flat = (t.contiguous().flatten().view(torch.uint8) for t in (left, right))
    return torch.equal(*flat)

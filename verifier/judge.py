"""The judge: takes a candidate, returns the verdict. Owns inputs, expected values and the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from kernelwright.backends.registry import open_backend
from kernelwright.errors import InfrastructureError
from kernelwright.schema import (
    Candidate,
    Correctness,
    Evaluation,
    Evidence,
    Flag,
    Level,
    Speedup,
    Status,
    ToleranceName,
    WorkloadResult,
    digest,
)
from kernelwright.verifier.build import build_candidate, load_candidate
from kernelwright.verifier.channel import RemoteModule, Values, WorkerFault, specs
from kernelwright.verifier.comparison import Difference, compare
from kernelwright.verifier.environment import environment
from kernelwright.verifier.evidence import gather
from kernelwright.verifier.levels import PLANS, Plan
from kernelwright.verifier.reference import TIMED_SLOT, Case, Prepared, Reference
from kernelwright.verifier.statistics import combine
from kernelwright.verifier.timing import Measured, Side, measure
from kernelwright.verifier.workers import WORKER_VERSION, await_start, start_worker

Weights = Literal["state_dict", "seed", "none"]
AFTER_TIMING_SEED = 500


class Wrong(Exception):
    """The candidate's values are not right; ends the correctness phase."""

    def __init__(self, status: Status, reason: str, result: WorkloadResult | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.result = result


class Verdict(NamedTuple):
    """What the phases of an evaluation add up to."""

    status: Status
    reason: str
    workloads: tuple[WorkloadResult, ...]
    flags: tuple[Flag, ...]
    evidence: Evidence | None = None


class Judge:
    """Evaluates candidates for one task against its live reference.

    Args:
        reference: open for as long as the judge is used.
        cache: folder of the build cache.
    """

    def __init__(self, reference: Reference, cache: Path) -> None:
        self.reference = reference
        self.cache = cache
        self.tolerance: ToleranceName = reference.task.tolerance

    def evaluation_key(self, candidate: Candidate, level: Level) -> str:
        """What a verdict depends on; equal keys may share one."""
        machine, task = self.reference.machine, self.reference.task
        device = environment(machine.threads, machine.device)
        device.pop("load_average")
        info = machine.sandbox.info.kind
        parts = [candidate.hash, task.hash, WORKER_VERSION, device, level, info]
        return digest(parts)

    def evaluate(self, candidate: Candidate, level: Level) -> Evaluation:
        """The verdict on a candidate.

        Raises:
            InvalidReferenceError: the reference can't be judged against.
            InfrastructureError: a part of the system failed; nothing is known about the candidate.
        """
        try:
            return self._evaluate(candidate, level)
        except InfrastructureError:
            self.reference.close()  # whoever tries again starts with new workers
            raise

    def _evaluate(self, candidate: Candidate, level: Level) -> Evaluation:
        started = time.monotonic()
        prepared = [self.reference.prepare(w) for w in self.reference.workloads()]
        build_s: float | None = None
        try:
            backend = open_backend(candidate.backend)
            build = build_candidate(candidate, backend, self.reference, self.cache)
            build_s = build.seconds
        except WorkerFault as fault:
            verdict = Verdict(_build_status(fault), fault.reason, (), ())
        else:
            verdict = self._judge(candidate, prepared, PLANS[level], build.folder)
        return self._evaluation(candidate, level, verdict, build_s, time.monotonic() - started)

    def _judge(
        self, candidate: Candidate, prepared: Sequence[Prepared], plan: Plan, build: Path
    ) -> Verdict:
        module = start_worker(self.reference.machine, self.reference.task.limits, build=build)
        done: list[WorkloadResult] = []
        try:
            await_start(module)
            trials = [Trial(self, candidate, module, item) for item in prepared]
            for trial in trials:
                done.append(trial.check(plan))
            return _timed(trials, done, plan)
        except WorkerFault as fault:
            return Verdict(fault.status, fault.reason, _untimed(done), ())
        except Wrong as wrong:
            more = [wrong.result] if wrong.result else []
            return Verdict(wrong.status, wrong.reason, _untimed([*done, *more]), ())
        finally:
            module.process.kill()

    def _evaluation(
        self,
        candidate: Candidate,
        level: Level,
        verdict: Verdict,
        build_s: float | None,
        duration_s: float,
    ) -> Evaluation:
        machine = self.reference.machine
        return Evaluation(
            task_hash=self.reference.task.hash,
            candidate_hash=candidate.hash,
            backend=candidate.backend,
            status=verdict.status,
            reason=verdict.reason,
            level=level,
            tolerance=self.tolerance,
            flags=verdict.flags,
            workloads=verdict.workloads,
            speedup=_overall(verdict.workloads),
            evidence=verdict.evidence,
            environment=environment(machine.threads, machine.device),
            sandbox=machine.sandbox.info,
            build_s=build_s,
            duration_s=duration_s,
            worker_version=WORKER_VERSION,
        )


class Trial:
    """One candidate on one workload."""

    def __init__(
        self, judge: Judge, candidate: Candidate, module: RemoteModule, prepared: Prepared
    ) -> None:
        self.reference = judge.reference
        self.tolerance = judge.tolerance
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
        return self._result(differences, len(plan.cases), golden, self._repeatable(plan))

    def check_again(self) -> None:
        """After timing: values nobody has seen yet must still be right."""
        case = self.reference.case(self.prepared, AFTER_TIMING_SEED, "reference")
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


def _timed(trials: list[Trial], results: list[WorkloadResult], plan: Plan) -> Verdict:
    flags: list[Flag] = []
    evidence: Evidence | None = None
    for index, trial in enumerate(trials):
        if trial.prepared.workload.role != "bench":
            continue
        measured = trial.time(plan)
        flags += measured.flags
        evidence = evidence or trial.evidence(measured)
        update = {"timing": measured.timing, "speedup": measured.speedup}
        results[index] = results[index].model_copy(update=update)
    reason = "values are right on every case"
    return Verdict(Status.PASSED, reason, tuple(results), tuple(flags), evidence)


def _untimed(results: list[WorkloadResult]) -> tuple[WorkloadResult, ...]:
    return tuple(r.model_copy(update={"timing": {}, "speedup": {}}) for r in results)


def _overall(results: tuple[WorkloadResult, ...]) -> dict[str, Speedup]:
    names = {name for result in results for name in result.speedup}
    return {
        name: combine({r.workload: r.speedup[name] for r in results if name in r.speedup})
        for name in sorted(names)
    }


def _weights(copied: int, own: int, reference: int) -> Weights:
    if reference == 0 and own == 0:
        return "none"
    return "state_dict" if copied == own == reference else "seed"


def _build_status(fault: WorkerFault) -> Status:
    signs = (": error:", "fatal error:", "undefined reference", "SyntaxError", "CompileError")
    is_build = fault.status is Status.RUNTIME_ERROR and any(s in fault.reason for s in signs)
    return Status.COMPILE_ERROR if is_build else fault.status


def _same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    flat = (t.contiguous().flatten().view(torch.uint8) for t in (left, right))
    return torch.equal(*flat)

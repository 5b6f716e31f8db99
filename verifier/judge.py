"""The judge: takes a candidate, returns the verdict. Owns inputs, expected values and the clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.registry import open_backend
from kernelwright.errors import InfrastructureError
from kernelwright.schema import (
    Candidate,
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
from kernelwright.verifier.build import build_candidate
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.environment import environment
from kernelwright.verifier.expected import Prepared
from kernelwright.verifier.levels import PLANS, Plan
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.statistics import combine
from kernelwright.verifier.timing import Measured
from kernelwright.verifier.trial import Trial, Wrong
from kernelwright.verifier.workers import WORKER_VERSION, await_start, start_worker


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
            trials = [self._trial(candidate, module, item) for item in prepared]
            for trial in trials:
                done.append(trial.check(plan))
            return _timed(trials, done, plan)
        except WorkerFault as fault:
            return Verdict(fault.status, fault.reason, _untimed(done), ())
        except Wrong as wrong:
            more = [wrong.result] if wrong.result else []
            return Verdict(wrong.status, wrong.reason, _untimed([*done, *more]), wrong.flags)
        finally:
            module.process.kill()

    def _trial(self, candidate: Candidate, module: RemoteModule, prepared: Prepared) -> Trial:
        return Trial(self.reference, self.tolerance, candidate, module, prepared)

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


def _timed(trials: list[Trial], results: list[WorkloadResult], plan: Plan) -> Verdict:
    flags: list[Flag] = []
    timed: list[tuple[Trial, Measured]] = []
    for index, trial in enumerate(trials):
        if trial.prepared.workload.role != "bench":
            continue
        measured = trial.time(plan)
        flags += measured.flags
        timed.append((trial, measured))
        correctness = results[index].correctness
        assert correctness is not None
        checked = correctness.model_copy(update={"timed_calls_checked": trial.checked})
        update = {
            "correctness": checked,
            "timing": measured.timing,
            "speedup": measured.speedup,
        }
        results[index] = results[index].model_copy(update=update)
    flags += [flag for trial in trials for flag in trial.flags]
    # Last, because profiling may end the worker.
    evidence = timed[0][0].evidence(timed[0][1]) if timed else None
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


def _build_status(fault: WorkerFault) -> Status:
    signs = (": error:", "fatal error:", "undefined reference", "SyntaxError", "CompileError")
    is_build = fault.status is Status.RUNTIME_ERROR and any(s in fault.reason for s in signs)
    return Status.COMPILE_ERROR if is_build else fault.status

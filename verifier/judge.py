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
    Policy,
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
from kernelwright.verifier.integrity.advice import advice_flags
from kernelwright.verifier.integrity.static import static_flags
from kernelwright.verifier.levels import PLANS, Plan
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.sanitizer.check import sanitizer_flags
from kernelwright.verifier.session import Session
from kernelwright.verifier.statistics import combine
from kernelwright.verifier.timing import CANDIDATE, Measured, summarize
from kernelwright.verifier.trial import Wrong, refused
from kernelwright.verifier.workers import WORKER_VERSION


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
        policy: who may do the work.
    """

    def __init__(self, reference: Reference, cache: Path, policy: Policy = "any") -> None:
        self.reference = reference
        self.cache = cache
        self.policy = policy
        self.tolerance: ToleranceName = reference.task.tolerance

    def evaluation_key(self, candidate: Candidate, level: Level) -> str:
        """What a verdict depends on; equal keys may share one."""
        machine, task = self.reference.machine, self.reference.task
        device = environment(machine.threads, machine.device)
        info = machine.sandbox.info.kind
        parts = [candidate.hash, task.hash, WORKER_VERSION, device, level, info, self.policy]
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
            verdict = self._judge(candidate, prepared, level, build.folder)
        return self._evaluation(candidate, level, verdict, build_s, time.monotonic() - started)

    def _judge(
        self, candidate: Candidate, prepared: Sequence[Prepared], level: Level, build: Path
    ) -> Verdict:
        plan, done = PLANS[level], list[WorkloadResult]()
        read = tuple(static_flags(candidate.source, candidate.backend))
        if plan.is_thorough:
            read += tuple(advice_flags(candidate.source))
        try:
            with self._session(candidate, build) as session:
                session.load(prepared)
                for trial in session.trials:
                    done.append(trial.check(plan))
                if level == "strict" and candidate.backend == "cpp":
                    read += self._memory_flags(candidate)
                measured = {key: [found] for key, found in session.time(plan).items()}
                seen = session.inspect(self.policy, plan)
                self._measure_again(candidate, prepared, plan, build, measured)
                flags = (*session.flags, *seen, *read)
                return self._passed(session, done, measured, flags, plan.is_thorough)
        except WorkerFault as fault:
            return Verdict(fault.status, fault.reason, tuple(done), read)
        except Wrong as wrong:
            more = [wrong.result] if wrong.result else []
            return Verdict(wrong.status, wrong.reason, (*done, *more), (*wrong.flags, *read))

    def _session(self, candidate: Candidate, build: Path) -> Session:
        return Session(self.reference, self.tolerance, candidate, build)

    def _memory_flags(self, candidate: Candidate) -> tuple[Flag, ...]:
        """What the sanitizers say. Raises Wrong for an error in the candidate."""
        flags = sanitizer_flags(candidate, self.reference)
        for flag in flags:
            if flag.severity == "refuse":
                raise refused(flag.rule, flag.evidence)
        return tuple(flags)

    def _measure_again(
        self,
        candidate: Candidate,
        prepared: Sequence[Prepared],
        plan: Plan,
        build: Path,
        measured: dict[str, list[Measured]],
    ) -> None:
        """Time the candidate in more workers of its own: each has its luck with memory."""
        for _ in range(1, plan.workers):
            with self._session(candidate, build) as session:
                session.load(prepared)
                for key, found in session.time(plan).items():
                    measured[key].append(found)

    def _passed(
        self,
        session: Session,
        results: list[WorkloadResult],
        measured: dict[str, list[Measured]],
        flags: tuple[Flag, ...],
        is_thorough: bool,
    ) -> Verdict:
        evidence: Evidence | None = None
        for index, trial in enumerate(session.trials):
            if trial.key not in measured:
                continue
            summary = summarize(measured[trial.key], self.reference.seed)
            seconds = summary.timing[CANDIDATE].median_us / 1e6
            flags = (*summary.flags, *trial.physical_flags(seconds), *flags)
            results[index] = trial.timed(results[index], summary)
            evidence = evidence or trial.evidence(summary.timing[CANDIDATE], is_thorough)
        reason = "values are right on every case"
        return Verdict(Status.PASSED, reason, tuple(results), flags, evidence)

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
            policy=self.policy,
            flags=verdict.flags,
            workloads=verdict.workloads,
            speedup=_overall(verdict.workloads),
            evidence=verdict.evidence,
            environment={
                **environment(machine.threads, machine.device),
                "pinned_cpus": list(machine.cores),
            },
            sandbox=machine.sandbox.info,
            build_s=build_s,
            duration_s=duration_s,
            worker_version=WORKER_VERSION,
        )


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

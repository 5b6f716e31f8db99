"""The judge: takes a candidate, returns the verdict. Owns inputs, expected values and the clock."""

from __future__ import annotations

import time
from pathlib import Path

from kernelwright.backends.base import Backend
from kernelwright.backends.registry import open_backend
from kernelwright.errors import InfrastructureError
from kernelwright.schema import (
    Candidate,
    Evaluation,
    Level,
    Policy,
    Speedup,
    Status,
    ToleranceName,
    WorkloadResult,
    digest,
)
from kernelwright.verifier.build import Build, build_candidate
from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.environment import environment
from kernelwright.verifier.examination import Examination, Verdict
from kernelwright.verifier.gpu.state import gpu_state
from kernelwright.verifier.one_thread import one_thread
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.statistics import combine
from kernelwright.verifier.workers import WORKER_VERSION

# Results of which it takes more than one thread to compare them in a moment.
LARGE_BYTES = 2**26
# A kernel that hangs, or reads where it must not, may leave a GPU that does not work.
MAY_HARM = (Status.TIMEOUT, Status.RUNTIME_ERROR)
# In what a build says that ended with an exception.
BUILD_SIGNS = (
    ": error:",
    "fatal error:",
    "undefined reference",
    "SyntaxError",
    "CompileError",
    "CompilationError",
    "ptxas error",
    "ptxas fatal",
    "nvcc fatal",
)


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
            examination = self._examination(candidate, level, build, backend)
            with one_thread(all(item.result_bytes < LARGE_BYTES for item in prepared)):
                verdict = examination.verdict(prepared)
        if self.reference.machine.kind != "cpu" and verdict.status in MAY_HARM:
            self.reference.probe()
        return self._evaluation(candidate, level, verdict, build_s, time.monotonic() - started)

    def _examination(
        self, candidate: Candidate, level: Level, build: Build, backend: Backend
    ) -> Examination:
        timed = self.reference.machine.kind in backend.timed_on
        return Examination(
            self.reference, candidate, build, level, self.tolerance, self.policy, timed
        )

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
                **gpu_state(machine.device),
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
    is_build = fault.status is Status.RUNTIME_ERROR and any(s in fault.reason for s in BUILD_SIGNS)
    return Status.COMPILE_ERROR if is_build else fault.status

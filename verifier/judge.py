"""The judge, which evaluates candidates. It owns inputs, expected values and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kernelwright.backends.registry import open_backend
from kernelwright.delivery.scope import Scope
from kernelwright.delivery.splice import NotDeliverableError
from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.gpu import gpu_state
from kernelwright.schema import (
    NOT_VALIDATED,
    Candidate,
    Compiled,
    Criteria,
    Evaluation,
    Flag,
    Level,
    Speedup,
    Status,
    WorkloadResult,
    digest,
)
from kernelwright.verifier.build.build import build_candidate
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.environment import environment
from kernelwright.verifier.evaluator import Evaluator, Verdict
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.compiled import compiled_reference
from kernelwright.verifier.levels import EFFORTS, Effort
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.scope.find import find_scope, fixed_scope
from kernelwright.verifier.timing.contention import one_thread
from kernelwright.verifier.timing.statistics import combine
from kernelwright.verifier.uses.run import RunUses
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import WORKER_VERSION

DEFAULT_CRITERIA = Criteria()
# Raised when a candidate may be judged otherwise than before, so that kept verdicts are made anew.
JUDGE_VERSION = "1"
# Results from this size on are compared with more than one thread.
LARGE_BYTES = 2**26
# A kernel that hangs, or reads where it must not, may leave a GPU in a broken state.
MAY_HARM = (Status.TIMEOUT, Status.RUNTIME_ERROR)
# Signs of a compile error in the message of a build that ended with an exception.
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


def unobserved(_step: str) -> None:
    """Do nothing with the words on a step."""


class Judge:
    """The judge of one task, which evaluates candidates against the live reference.

    Args:
        reference: must stay open for as long as the judge is used.
        cache: folder of the build cache.
        criteria: what verdicts are to decide.
        run_uses: the reference's side of the uses, if another judge has it already.
        on_step: called with a few words when a step of a verdict begins.
    """

    def __init__(
        self,
        reference: Reference,
        cache: Path,
        criteria: Criteria = DEFAULT_CRITERIA,
        run_uses: RunUses | None = None,
        on_step: Callable[[str], None] = unobserved,
    ) -> None:
        self.reference = reference
        self.cache = cache
        self.criteria = criteria
        self._on_step = on_step
        self._run_uses = run_uses or RunUses(reference)

    def evaluation_key(self, candidate: Candidate, level: Level) -> str:
        """Return a digest of all that a verdict depends on; equal keys may share a verdict."""
        machine, task = self.reference.machine, self.reference.task
        device = environment(machine.threads, machine.device)
        info = machine.sandbox.info.kind
        wanted = self.criteria
        versions = [WORKER_VERSION, JUDGE_VERSION]
        parts = [candidate.hash, task.hash, versions, device, level, info, wanted.policy]
        parts += [wanted.uses] if wanted.uses != "flag" else []
        parts += ["delivers"] if wanted.delivers else []
        return digest(parts)

    def build(
        self, candidate: Candidate, level: Level, made_from: Candidate | None = None
    ) -> Build | Evaluation:
        """Return the candidate's build, or the verdict on a candidate that can't be built.

        Args:
            made_from: a candidate that this one is a delivery of; what that one's build made is
                not made again.

        Raises:
            InvalidReferenceError: no candidate can be judged against this reference.
            InfrastructureError: a part of the system failed; nothing is known about the candidate.
        """
        started = time.monotonic()
        with self._renewed_after_failures():
            try:
                backend = open_backend(candidate.backend)
                return build_candidate(candidate, backend, self.reference, self.cache, made_from)
            except WorkerFault as fault:
                verdict = Verdict(_build_status(fault), fault.reason, (), ())
            return self._evaluation(candidate, level, verdict, None, started)

    def evaluate(
        self,
        candidate: Candidate,
        level: Level,
        build: Build | None = None,
        made_from: Candidate | None = None,
    ) -> Evaluation:
        """Evaluate a candidate and return the verdict.

        Args:
            build: result of `build` for this candidate; built here if None.
            made_from: see `build`.

        Raises:
            InvalidReferenceError, InfrastructureError: see `build`.
        """
        started = time.monotonic() - ((build.seconds or 0.0) if build else 0.0)
        self.compile_ahead(candidate, level)
        found = build or self.build(candidate, level, made_from)
        if isinstance(found, Evaluation):
            return found
        effort = self._effort(candidate, level)
        with self._renewed_after_failures():
            return self._evaluated(
                candidate, level, effort, found, started, self._is_timed(candidate)
            )

    def compare(self, candidate: Candidate, level: Level, build: Build) -> Evaluation:
        """Return the verdict on the values of a candidate that was built; nothing is timed.

        Raises:
            InvalidReferenceError, InfrastructureError: see `build`.
        """
        effort, started = self._effort(candidate, level), time.monotonic()
        with self._renewed_after_failures():
            return self._evaluated(candidate, level, effort, build, started, is_timed=False)

    def profile(self, candidate: Candidate, build: Build) -> Evaluation:
        """Return the verdict at `fast` on a candidate that was built, with its hot lines.

        Raises:
            InvalidReferenceError, InfrastructureError: see `build`.
        """
        effort = self._effort(candidate, "fast").model_copy(update={"samples_code": True})
        started, is_timed = time.monotonic(), self._is_timed(candidate)
        with self._renewed_after_failures():
            return self._evaluated(candidate, "fast", effort, build, started, is_timed)

    def compile_ahead(self, candidate: Candidate, level: Level) -> None:
        """Start torch.compile of the workloads that a candidate will be timed on.

        It runs beside what comes before times are taken. Nothing is started where a candidate is
        not timed against it.

        Raises:
            InvalidReferenceError, InfrastructureError: see `build`.
        """
        effort = self._effort(candidate, level)
        if self._is_timed(candidate) and "compile" in effort.baselines:
            for workload in self.reference.workloads():
                if workload.role == "bench":
                    self.reference.prepare(workload).compile_ahead()

    def _is_timed(self, candidate: Candidate) -> bool:
        """Return whether times mean something for the candidate's backend on this device."""
        return self.reference.machine.kind in open_backend(candidate.backend).timed_on

    def _effort(self, candidate: Candidate, level: Level) -> Effort:
        """Return the level's effort. torch.compile's own program is not timed against itself."""
        effort = EFFORTS[level]
        if self._compiled(candidate) != "baseline":
            return effort
        others = tuple(name for name in effort.baselines if name != "compile")
        return effort.model_copy(update={"baselines": others})

    def _compiled(self, candidate: Candidate) -> Compiled | None:
        return compiled_reference(candidate.source, self.reference.task.source)

    def scope(self, candidate: Candidate) -> Scope:
        """Return what a proof of the candidate can cover.

        Raises:
            NotDeliverableError: no guard can tell the covered calls apart, or it is not built.
            InvalidReferenceError, InfrastructureError: see `build`.
        """
        self._on_step("finding the calls that it can be proven for")
        found = self.build(candidate, "strict")
        if isinstance(found, Evaluation):
            raise NotDeliverableError(found.reason)
        with self._renewed_after_failures():
            return find_scope(self.reference, candidate, found.folder)

    def _device_flags(self) -> Iterator[Flag]:
        """Yield the flag of verdicts on a device kind for which timing is not validated."""
        if self.reference.machine.kind != "cpu":
            yield flag(NOT_VALIDATED, "timing on GPUs is not validated yet")

    @contextmanager
    def _renewed_after_failures(self) -> Iterator[None]:
        try:
            yield
        except InfrastructureError:
            self.reference.close()  # the next try starts with new workers
            raise

    def _evaluated(
        self,
        candidate: Candidate,
        level: Level,
        effort: Effort,
        build: Build,
        started: float,
        is_timed: bool,
    ) -> Evaluation:
        workloads = [self.reference.prepare(w) for w in self.reference.workloads()]
        evaluator = Evaluator(
            self.reference,
            candidate,
            build,
            level,
            effort,
            self.criteria,
            is_timed,
            self._run_uses,
            self._on_step,
        )
        prepared = [live.prepared for live in workloads]
        with one_thread(all(one.result_bytes < LARGE_BYTES for one in prepared)):
            verdict = evaluator.verdict(workloads)
        found = self._evaluation(candidate, level, verdict, build, started)
        return found.model_copy(
            update={"scope": fixed_scope(prepared, self.reference.machine.kind)}
        )

    def _evaluation(
        self,
        candidate: Candidate,
        level: Level,
        verdict: Verdict,
        build: Build | None,
        started: float,
    ) -> Evaluation:
        machine, task = self.reference.machine, self.reference.task
        compiled = self._compiled(candidate)
        workloads = verdict.workloads
        if compiled == "baseline":
            workloads = tuple(map(_without_own_baseline, workloads))
        if machine.kind != "cpu" and verdict.status in MAY_HARM:
            self.reference.check_device()
        return Evaluation(
            task_hash=task.hash,
            candidate_hash=candidate.hash,
            backend=candidate.backend,
            status=verdict.status,
            reason=verdict.reason,
            level=level,
            tolerance=task.tolerance,
            policy=self.criteria.policy,
            flags=(*verdict.flags, *self._device_flags()),
            workloads=workloads,
            speedup=_overall(workloads),
            evidence=verdict.evidence,
            wrong=verdict.wrong,
            uses=verdict.uses,
            environment={
                **environment(machine.threads, machine.device),
                **gpu_state(machine.device),
                "pinned_cpus": list(machine.cores),
            },
            sandbox=machine.sandbox.info,
            build_s=build.seconds if build else None,
            object_code=build.object_code.digest if build else None,
            compiled=compiled,
            duration_s=time.monotonic() - started,
            worker_version=WORKER_VERSION,
        )


def _without_own_baseline(result: WorkloadResult) -> WorkloadResult:
    """Return the result of torch.compile's own program without a speedup over torch.compile."""
    others = {name: speedup for name, speedup in result.speedup.items() if name != "compile"}
    return result.model_copy(update={"speedup": others})


def _overall(results: tuple[WorkloadResult, ...]) -> dict[str, Speedup]:
    names = {name for result in results for name in result.speedup}
    return {
        name: combine({r.workload: r.speedup[name] for r in results if name in r.speedup})
        for name in sorted(names)
    }


def _build_status(fault: WorkerFault) -> Status:
    is_build = fault.status is Status.RUNTIME_ERROR and any(s in fault.reason for s in BUILD_SIGNS)
    return Status.COMPILE_ERROR if is_build else fault.status

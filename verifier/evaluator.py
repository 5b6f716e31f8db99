"""The evaluation of one candidate at one level: values in one worker, times in others."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from kernelwright.delivery.guarded import own_part
from kernelwright.schema import (
    Candidate,
    Criteria,
    Evidence,
    Flag,
    Level,
    Status,
    UseResult,
    WorkloadResult,
    WrongValues,
)
from kernelwright.tasks.constants import replace_constants
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.candidate import CandidateWorker
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.correctness.rules import refused_by
from kernelwright.verifier.gpu_compile.compilation import compile_candidate
from kernelwright.verifier.gpu_compile.kernel import static_evidence
from kernelwright.verifier.inside import fallbacks
from kernelwright.verifier.integrity.attribution import idle_flags
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.integrity.kernelguard import advice_flags
from kernelwright.verifier.integrity.physical import arithmetic_flags, memory_flags
from kernelwright.verifier.integrity.static.scan import static_flags
from kernelwright.verifier.levels import Effort
from kernelwright.verifier.profiling.evidence import gather
from kernelwright.verifier.profiling.ncu import with_counters
from kernelwright.verifier.profiling.own_code import own_code
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer.asan import (
    SanitizedInputs,
    sanitized_inputs,
    sanitizer_flags,
)
from kernelwright.verifier.sanitizer.memcheck import gpu_sanitizer_flags
from kernelwright.verifier.timing.calibrate import round_iterations
from kernelwright.verifier.timing.measure import time_workload
from kernelwright.verifier.timing.rounds import CANDIDATE, Timed
from kernelwright.verifier.timing.single_calls import batched
from kernelwright.verifier.timing.statistics import combine
from kernelwright.verifier.timing.summary import (
    Summary,
    summarize,
    wants_more_workers,
    with_known_compile,
)
from kernelwright.verifier.uses.findings import flags_of, refusal
from kernelwright.verifier.uses.run import RunUses
from kernelwright.verifier.uses.trial import Trial
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import CandidateFault, WorkerFault, Wrong

# A file without this word has no guards.
GUARDED = "fallbacks"
RIGHT = "values are right on every case"
RIGHT_UNTIMED = f"{RIGHT}, in Triton's interpreter; not timed: its times need a GPU"


class Verdict(NamedTuple):
    """The outcome of all phases of an evaluation."""

    status: Status
    reason: str
    workloads: tuple[WorkloadResult, ...]
    flags: tuple[Flag, ...]
    evidence: Evidence | None = None
    uses: tuple[UseResult, ...] = ()
    wrong: WrongValues | None = None


class Evaluator:
    """The evaluation of one candidate that was built; for one use.

    Args:
        build: the finished build.
        effort: the level's, for this candidate.
        is_timed: whether times mean something for this backend on this device.
        run_uses: the reference's side of the uses.
        on_step: called with a few words when a step begins.
    """

    def __init__(
        self,
        reference: Reference,
        candidate: Candidate,
        build: Build,
        level: Level,
        effort: Effort,
        criteria: Criteria,
        is_timed: bool,
        run_uses: RunUses,
        on_step: Callable[[str], None],
    ) -> None:
        self.reference = reference
        self.candidate = candidate
        self.build = build
        self.level = level
        self.criteria = criteria
        self.effort = effort
        self.is_timed = is_timed
        self.run_uses = run_uses
        self.on_step = on_step
        self.uses: tuple[UseResult, ...] = ()
        self.done: list[WorkloadResult] = []
        self.flags: list[Flag] = []

    def verdict(self, workloads: Sequence[LiveWorkload]) -> Verdict:
        """Compare values, time the `bench` workloads, and try the uses; return the verdict."""
        try:
            # Where a few percent matter, new workers are timed: a worker's speed depends on what it
            # did before. The first of them is made ready while values are compared.
            with self._new_worker() as worker, self._new_worker() as another:
                new = another if self.effort.times_new_workers else worker
                self._check(worker, new, workloads)
                timed = self._time(worker, new, workloads)
                found = self._sum_up(worker, timed) if self.is_timed else self._compile()
            self._try_uses(workloads)
        except CandidateFault as fault:
            self.done += [fault.result] if fault.result else []
            self.flags[:0] = fault.flags
            return self._verdict(fault.status, fault.reason)._replace(wrong=fault.wrong)
        if found is not None:
            found = found.model_copy(
                update={"facts": (*found.facts, *self.build.object_code.facts)}
            )
        return self._verdict(Status.PASSED, RIGHT if self.is_timed else RIGHT_UNTIMED, found)

    def _verdict(self, status: Status, reason: str, evidence: Evidence | None = None) -> Verdict:
        flags = tuple(dict.fromkeys(self.flags))
        has_times = status in (Status.PASSED, Status.REWARD_HACK)
        done = self.done if has_times else map(without_times, self.done)
        return Verdict(status, reason, tuple(done), flags, evidence, self.uses)

    def _new_worker(self) -> CandidateWorker:
        return CandidateWorker(self.reference, self.candidate, self.build.folder)

    def _timed_workloads(self, workloads: Sequence[LiveWorkload]) -> list[LiveWorkload]:
        """Return the workloads that are timed."""
        return [
            live for live in workloads if self.is_timed and live.prepared.workload.role == "bench"
        ]

    def _make_ready(
        self, worker: CandidateWorker, workloads: Sequence[LiveWorkload], number: int = 0
    ) -> None:
        """Start the worker to be timed and eager's worker beside it, and load both.

        The one that starts first was found up to 5% faster than an equal one, so they take turns.

        Args:
            number: index of the candidate's worker.
        """
        timed = self._timed_workloads(workloads)
        if not timed or (number == 0 and not self.effort.times_new_workers):
            self._load_eager(timed)
        elif number % 2 == 0:
            self._renew_eager(timed)
            self._load_own(worker, timed)
        else:
            self._load_own(worker, timed)
            self._renew_eager(timed)

    def _load_own(self, worker: CandidateWorker, timed: Sequence[LiveWorkload]) -> None:
        worker.start()
        worker.load(timed)

    def _renew_eager(self, timed: Sequence[LiveWorkload]) -> None:
        self.reference.baselines.renew_eager()
        self._load_eager(timed)

    def _load_eager(self, timed: Sequence[LiveWorkload]) -> None:
        for item in timed:
            item.baseline("eager")

    def _check(
        self, worker: CandidateWorker, new: CandidateWorker, workloads: Sequence[LiveWorkload]
    ) -> None:
        """Compare values; meanwhile scan the source and make the first worker to be timed ready."""
        self.on_step("comparing its values")
        for live in workloads:
            _ = live.perturbed  # cached now, for all threads
        inputs = [sanitized_inputs(live) for live in workloads] if self._is_sanitized else []
        with ThreadPoolExecutor(3) as meanwhile:
            worker.start()
            text = meanwhile.submit(self._read)
            is_ready = meanwhile.submit(self._make_ready, new, workloads)
            found = meanwhile.submit(self._sanitized, inputs)
            try:
                worker.load(workloads)
                for check in worker.checks:
                    self.done.append(check.run(self.effort))
                is_ready.result()
            finally:
                self.flags += text.result()
        self._must_not_fall_back(worker.client)
        self._note(worker.inspect())
        if self._is_sanitized:
            self.on_step("looking for errors in memory")
        self._note(found.result())
        on_gpu = self.candidate.backend in ("cuda", "triton") and self.is_timed
        if self.effort.sanitizes and on_gpu:
            self._note(gpu_sanitizer_flags(self.candidate, self.reference, self.build.folder))

    @property
    def _is_sanitized(self) -> bool:
        """Whether the candidate brings C++ that the sanitizers are to watch."""
        return self.effort.sanitizes and self.candidate.backend == "cpp"

    def _sanitized(self, inputs: Sequence[SanitizedInputs]) -> list[Flag]:
        """Return the flags of the sanitizers on C++."""
        if not self._is_sanitized:
            return []
        return sanitizer_flags(self.candidate, self.reference, inputs)

    def _read(self) -> list[Flag]:
        """Return the flags that the candidate's source raises; a guard of ours raises none."""
        task = self.reference.task
        own = own_part(self.candidate.source, replace_constants(task.source, task.overrides))
        flags = static_flags(own, self.candidate.backend)
        return [*flags, *(advice_flags(own) if self.effort.is_thorough else ())]

    def _note(self, flags: Sequence[Flag]) -> None:
        """Add flags. Raises Wrong if one of them refuses."""
        self.flags += flags
        for found in flags:
            if found.severity == "refuse":
                raise refused_by(found)

    def _must_not_fall_back(self, client: WorkerClient) -> None:
        """Raise Wrong if a guarded file ran the original forward in a call of the judge's."""
        if GUARDED not in self.candidate.source:
            return
        tool = Path(fallbacks.__file__)
        count = client.tool(tool, "total")
        if type(count) is int and count > 0:
            why = client.tool(tool, "reasons")
            words = "; ".join(map(str, why)) if isinstance(why, list) else ""
            evidence = (
                f"{count} calls of the task's own workloads ran the original forward: {words}"
            )
            flags = [flag("fell-back", evidence)]
            raise Wrong(Status.RUNTIME_ERROR, f"its fast path did not run: {evidence}", flags=flags)

    def _try_uses(self, workloads: Sequence[LiveWorkload]) -> None:
        """Try what a user does with the module; raise Wrong where that refuses."""
        if self.effort.uses_s == 0:
            return
        timed = {one.workload: one.speedup["eager"] for one in self.done if one.speedup}
        if self.criteria.delivers and timed and not combine(timed).is_faster:
            return
        self.on_step("using it as people use modules")
        with self.run_uses.expected(workloads) as choose, self._new_worker() as worker:
            trial = Trial(
                choose,
                worker.restart,
                self.candidate,
                self.reference.task.tolerance,
                self.level,
                self.effort.uses_s,
            )
            tried = trial.run()
        self.uses = tried.results
        flags = flags_of(tried)
        if self.criteria.uses == "refuse" and flags:
            status, reason = refusal(tried)
            refusing = [one.model_copy(update={"severity": "refuse"}) for one in flags]
            raise Wrong(status, reason, flags=refusing)
        self.flags += flags

    def _time(
        self, checked: CandidateWorker, new: CandidateWorker, workloads: Sequence[LiveWorkload]
    ) -> dict[str, list[Timed]]:
        """Time in the new worker, then in others; return the timings by workload.

        Several workers are needed because where memory lies makes each faster or slower.
        """
        timed = self._timed_workloads(workloads)
        if not timed:
            return {}
        self.on_step("timing it in new processes")
        effort, policy = self.effort, self.criteria.policy
        for live in timed:  # nothing is compiled any more while times are taken
            for baseline in effort.baselines:
                live.baseline(baseline)
        calls = {one.live.name: round_iterations(one, effort) for one in checked.timed_checks}
        found: dict[str, list[Timed]] = {live.name: [] for live in timed}
        end = time.monotonic() + self.effort.close_budget_s
        for number in itertools.count():
            if not self._wants_worker(number, found.values(), end):
                break
            with self._next_worker(new, number) as worker:
                if worker is not new:
                    self._make_ready(worker, workloads, number)
                sampling_s = worker.sampling_s(effort, policy) if number == 0 else 0.0
                for check in worker.timed_checks:
                    name = check.live.name
                    own = time_workload(check, effort, calls[name], number, sampling_s)
                    found[name].append(own)
                    sampling_s = 0.0  # the first one tells
                self._must_not_fall_back(worker.client)
                self._note(worker.inspect())
                if number == 0:
                    first = found[timed[0].name][0]
                    self._note(worker.attribute_work(first, policy, effort))
        return found

    def _wants_worker(self, number: int, measured: Iterable[Sequence[Timed]], end: float) -> bool:
        """Return whether a worker with this index is timed too.

        Single calls that were slow in one worker are no proof. They are timed again in a new one,
        where memory lies elsewhere and a disturbance may be over.
        """
        if number < self.effort.workers:
            return True
        if number == 1:
            return any(batched(own[0].rounds, own[0].single_calls) for own in measured)
        if number >= self.effort.most_workers:
            return False
        # After an even number of workers eager's came first in half of them.
        seed, is_odd = self.reference.seed, number % 2 == 1
        is_in_time = time.monotonic() < end
        return is_odd or (is_in_time and any(wants_more_workers(own, seed) for own in measured))

    def _next_worker(
        self, new: CandidateWorker, number: int
    ) -> AbstractContextManager[CandidateWorker]:
        """Return the next worker to be timed; one made only for this is closed at the end.

        The first worker is of no use if eager's, started beside it, has run since to measure its
        iterations.
        """
        eager_has_run = self.reference.baselines.eager_has_run
        if number == 0 and not (self.effort.times_new_workers and eager_has_run):
            return nullcontext(new)
        return self._new_worker()

    def _compile(self) -> Evidence | None:
        """Return compile-time evidence on a candidate that can't be timed here.

        Raises:
            Wrong: the candidate compiles for no GPU.
        """
        if not self.effort.is_thorough:
            return None
        found = compile_candidate(self.reference.task, self.candidate, self.reference.machine)
        if not found.kernels and found.failures:
            raise Wrong(Status.COMPILE_ERROR, next(iter(found.failures.values())))
        if not found.kernels:
            self._note(list(idle_flags(self.criteria.policy)))
        return static_evidence(found)

    def _sum_up(
        self, worker: CandidateWorker, timed: Mapping[str, Sequence[Timed]]
    ) -> Evidence | None:
        """Add the times to the results; return evidence on the first workload that was timed."""
        evidence: Evidence | None = None
        for index, check in enumerate(worker.checks):
            live = check.live
            if live.name not in timed:
                continue
            summary = summarize(timed[live.name], self.reference.seed)
            live.note_compile_speedup(summary.compile_speedup)
            summary = with_known_compile(summary, live.compile_speedup)
            seconds = summary.timing[CANDIDATE].median_us / 1e6
            self._note([*summary.flags, *self._physical_flags(live, seconds)])
            self.done[index] = with_times(self.done[index], summary)
            if evidence is None:
                evidence = self._profiled(self._evidence(check, summary), check, summary)
        return evidence

    def _physical_flags(self, live: LiveWorkload, seconds: float) -> list[Flag]:
        """Return flags on a time per call that is faster than the machine allows."""
        peaks = self.reference.peaks
        return [
            *memory_flags(peaks, live.prepared.result_bytes, seconds),
            *arithmetic_flags(peaks, live.flops, seconds),
        ]

    def _evidence(self, check: WorkloadCheck, summary: Summary) -> Evidence | None:
        """Return evidence on where the candidate's time goes; None if it can't be profiled."""
        try:
            return gather(self.reference, check.live, check.instance, summary.timing)
        except WorkerFault:
            return None

    def _profiled(
        self, evidence: Evidence | None, check: WorkloadCheck, summary: Summary
    ) -> Evidence | None:
        """Return the evidence with what takes longer to find out: hot lines, a GPU's counters."""
        if evidence is None or not self.effort.samples_code:
            return evidence
        if self.reference.machine.kind != "cpu":
            build = self.build.folder
            return with_counters(evidence, self.reference, self.candidate, build, check.prepared)
        if self.candidate.backend != "cpp":
            return evidence
        median_us, missed = summary.timing[CANDIDATE].median_us, self.build.object_code.missed
        try:
            found = own_code(check.instance, self.candidate, median_us, missed)
        except WorkerFault:
            return evidence
        return evidence.model_copy(update={"own_code": found})


def without_times(result: WorkloadResult) -> WorkloadResult:
    """Return the result without its times."""
    return WorkloadResult(workload=result.workload, correctness=result.correctness)


def with_times(result: WorkloadResult, summary: Summary) -> WorkloadResult:
    """Return the result with its times."""
    assert result.correctness is not None
    checked = {"timed_calls_checked": summary.checked}
    correctness = result.correctness.model_copy(update=checked)
    update = {
        "correctness": correctness,
        "timing": summary.timing,
        "speedup": summary.speedup,
    }
    return result.model_copy(update=update)

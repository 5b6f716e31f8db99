"""One candidate in one worker: its checks, its timers, and observations from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from kernelwright.sandbox.memory import thread_ids
from kernelwright.schema import Candidate, Flag, Policy
from kernelwright.verifier.correctness.check import WorkloadCheck
from kernelwright.verifier.integrity.attribution import attribution_flags
from kernelwright.verifier.integrity.gpu_kernels import kernel_flags
from kernelwright.verifier.integrity.runtime import (
    core_flags,
    file_flags,
    operator_flags,
    process_flags,
    setting_flags,
    thread_flags,
)
from kernelwright.verifier.levels import Effort
from kernelwright.verifier.profiling.evidence import PROFILED_CALLS
from kernelwright.verifier.reference.candidates import start_candidate
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.timing.summary import Timed
from kernelwright.verifier.timing.workload_timer import WorkloadTimer
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import await_start
from kernelwright.verifier.worker.tensor_tree import specs

# Seconds of sampling, at most. `custom` has to prove that the candidate's code works, so longer.
SAMPLING_S: dict[Policy, float] = {"any": 0.25, "custom": 10.0}


class CandidateWorker:
    """A worker that holds one candidate. Use as a context manager.

    Raises:
        WorkerFault: the candidate did not load, or failed later.
        Wrong: the candidate is wrong or refused.
    """

    def __init__(self, reference: Reference, candidate: Candidate, build: Path) -> None:
        self.reference = reference
        self.candidate = candidate
        self.build = build
        self.checks: list[WorkloadCheck] = []
        self.timers: list[WorkloadTimer] = []
        """Timers of the same workloads in the same order."""
        self._client: WorkerClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._client is not None:
            self._client.process.kill()

    @property
    def client(self) -> WorkerClient:
        """The worker's client, once the worker was started."""
        assert self._client is not None
        return self._client

    def start(self) -> None:
        """Start the worker."""
        self._client = start_candidate(self.reference, self.candidate, self.build)

    def restart(self) -> WorkerClient:
        """Start a new worker in the place of the last one; return its client."""
        if self._client is not None:
            self._client.process.kill()
        self.start()
        return self.client

    def load(self, workloads: Sequence[LiveWorkload]) -> None:
        """Wait for the worker and load every workload."""
        await_start(self.client)
        self.settings = self.client.settings()
        self.threads = len(thread_ids(self.client.process.pid))
        for live in workloads:
            check = WorkloadCheck(self.reference, self.candidate, self.client, live)
            self.checks.append(check)
            self.timers.append(WorkloadTimer(check))

    def iterations(self, effort: Effort) -> dict[str, int]:
        """Return how many calls fill a round, by workload."""
        return {timer.key: timer.iterations(effort) for timer in self._bench_timers}

    def time(
        self, effort: Effort, calls: Mapping[str, int], worker: int, policy: Policy
    ) -> dict[str, Timed]:
        """Time the `bench` workloads, and sample the running code of the first one."""
        timed = {}
        on_cpu = self.reference.machine.kind == "cpu"
        is_watched = worker == 0 and on_cpu and self._wants_work(effort, policy)
        sampling_s = SAMPLING_S[policy] if is_watched else 0.0
        for timer in self._bench_timers:
            timed[timer.key] = timer.time(effort, calls[timer.key], worker, sampling_s)
            sampling_s = 0.0
        return timed

    def _wants_work(self, effort: Effort, policy: Policy) -> bool:
        """Return whether the work has to be attributed to the candidate or a library."""
        return effort.is_thorough or policy == "custom"

    @property
    def _bench_timers(self) -> list[WorkloadTimer]:
        return [timer for timer in self.timers if timer.prepared.workload.role == "bench"]

    def inspect(self) -> list[Flag]:
        """Return the flags of the checks, and those of the worker's processes, cores and files."""
        process, machine = self.client.process, self.reference.machine
        return [
            *(flag for check in self.checks for flag in check.flags),
            *process_flags(process),
            *core_flags(process),
            *thread_flags(process, self.threads, machine.threads),
            *setting_flags(self.settings, self.client.settings()),
            *file_flags(process),
        ]

    def attribute_work(self, policy: Policy, effort: Effort) -> list[Flag]:
        """Return flags on how much of the timed work is the candidate's own code."""
        flags: list[Flag] = []
        timed = self._bench_timers[0]
        if self._wants_work(effort, policy):
            flags += self._work_flags(timed, policy)
        if effort.traces_operators:
            flags += self._operator_flags(timed)
        return flags

    def _work_flags(self, timer: WorkloadTimer, policy: Policy) -> Iterator[Flag]:
        if self.reference.machine.kind == "cpu":
            return attribution_flags(timer.code_samples, policy)
        return kernel_flags(timer.instance.profile(0, PROFILED_CALLS), policy)

    def _operator_flags(self, timer: WorkloadTimer) -> list[Flag]:
        prepared = timer.prepared
        tensors = [*specs(prepared.example_inputs), *specs(prepared.state), *prepared.specs]
        types = {str(spec.dtype).removeprefix("torch.") for spec in tensors}
        try:
            return list(operator_flags(timer.instance.observe(0), types))
        except WorkerFault:
            return []  # not every compiled module runs under a dispatch mode; the worker is gone

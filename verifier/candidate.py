"""One candidate in one worker: its checks, and observations from outside."""

from __future__ import annotations

from collections.abc import Sequence
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
from kernelwright.verifier.timing.rounds import Timed
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
            check = WorkloadCheck.load(self.reference, self.candidate, self.client, live)
            self.checks.append(check)

    @property
    def timed_checks(self) -> list[WorkloadCheck]:
        """The checks of the workloads that are timed."""
        return [check for check in self.checks if check.prepared.workload.role == "bench"]

    def sampling_s(self, effort: Effort, policy: Policy) -> float:
        """Return the most seconds for which the running code is sampled."""
        on_cpu = self.reference.machine.kind == "cpu"
        return SAMPLING_S[policy] if on_cpu and self._wants_work(effort, policy) else 0.0

    def _wants_work(self, effort: Effort, policy: Policy) -> bool:
        """Return whether the work has to be attributed to the candidate or a library."""
        return effort.is_thorough or policy == "custom"

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

    def attribute_work(self, timed: Timed, policy: Policy, effort: Effort) -> list[Flag]:
        """Return flags on how much of the timed work is the candidate's own code.

        Args:
            timed: the timing of the first timed workload.
        """
        flags: list[Flag] = []
        check = self.timed_checks[0]
        if self._wants_work(effort, policy):
            if self.reference.machine.kind == "cpu":
                flags += attribution_flags(timed.code_samples, policy)
            else:
                flags += kernel_flags(check.instance.profile(0, PROFILED_CALLS), policy)
        if effort.traces_operators:
            flags += _operator_flags(check)
        return flags


def _operator_flags(check: WorkloadCheck) -> list[Flag]:
    prepared = check.prepared
    tensors = [*specs(prepared.example_inputs), *specs(prepared.state), *prepared.specs]
    types = {str(spec.dtype).removeprefix("torch.") for spec in tensors}
    try:
        return list(operator_flags(check.instance.observe(0), types))
    except WorkerFault:
        return []  # not every compiled module runs under a dispatch mode; the worker is gone

"""Evaluations on this machine, one after another."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from kernelwright.backends.registry import require_backends
from kernelwright.sandbox.machine import Machine, open_machine
from kernelwright.schema import Evaluation, EvaluationJob, MachineSpec, Task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.uses.run import RunUses


class LocalExecutor:
    """An executor on this machine. Use as a context manager, from one thread.

    The machine and the reference of the last job stay open: jobs for the same task, one after
    another, share expected values, baselines, and what the reference does in uses.

    Args:
        cache: folder of the build cache.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._machines = ExitStack()
        self._references = ExitStack()
        self._machine: tuple[MachineSpec, Machine] | None = None
        self._reference: tuple[str, Reference] | None = None
        self._uses: RunUses | None = None
        """The open reference's side of the uses."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._close()

    def _close(self) -> None:
        self._machine = self._reference = self._uses = None
        with self._machines, self._references:
            pass

    def machine(self, spec: MachineSpec) -> Machine:
        """Return the open machine that is wanted.

        Raises:
            PrerequisiteError: it is not there.
        """
        if self._machine is None or self._machine[0] != spec:
            self._close()
            self._machine = spec, self._machines.enter_context(open_machine(spec))
        return self._machine[1]

    def reference(self, task: Task, spec: MachineSpec) -> Reference:
        """Return the open reference of a task, each of whose workloads has run once.

        Raises:
            InvalidReferenceError: a workload fails.
            UsageError: no workload is timed on this device.
        """
        machine = self.machine(spec)
        if self._reference is None or self._reference[0] != task.hash:
            self._reference = self._uses = None
            self._references.close()
            reference = self._references.enter_context(Reference.open(task, machine))
            reference.check()
            self._reference = task.hash, reference
        return self._reference[1]

    def evaluate(self, job: EvaluationJob) -> Evaluation:
        """See `Executor.evaluate`."""
        require_backends((job.candidate.backend,), self.machine(job.machine).kind, timed=False)
        reference = self.reference(job.task, job.machine)
        self._uses = self._uses or RunUses(reference)
        judge = Judge(reference, self._cache, job.criteria, self._uses)
        return judge.evaluate(job.candidate, job.level)

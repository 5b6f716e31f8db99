"""The reference side of a task, open for a run: its workers, and its workloads by name.

The reference runs in workers too, never in this process. One of them, the oracle, makes inputs and
expected values. The baselines (eager and torch.compile) are only timed. Every candidate of a run is
judged against the same expected values and timed against live baselines.
"""

from __future__ import annotations

import functools
import secrets
import threading
from typing import Self

from kernelwright.errors import InvalidReferenceError, UsageError
from kernelwright.sandbox.leases import lease
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Target, Task, Workload
from kernelwright.tasks.kinds.registry import kind_of
from kernelwright.tasks.loader import effective_source
from kernelwright.verifier.reference.baselines import Baselines
from kernelwright.verifier.reference.calls import invalid, known_to_work, load_reference
from kernelwright.verifier.reference.live_workload import LiveWorkload, Parts
from kernelwright.verifier.reference.memory import MemoryBudget, Needs, needs, require_room
from kernelwright.verifier.reference.oracle_worker import OracleWorker
from kernelwright.verifier.reference.peaks import Peaks
from kernelwright.verifier.reference.probe import prepare
from kernelwright.verifier.reference.seeds import SEED_BITS, derived_seed
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault

# Bytes that are copied to measure memory and caches.
MEMORY_BYTES = {"cpu": 2**28, "cuda": 2**31}
CACHE_BYTES = {"cpu": 2**18, "cuda": 2**23}
PROBED_BYTES = 2**20


class Reference:
    """The live workers of one task's reference. Use as a context manager.

    Args:
        task: the task.
        machine: the machine on which the workers run.
        seed: secret from which the seeds of all inputs are derived; a run takes it from `secrets`.
    """

    def __init__(self, task: Task, machine: Machine, seed: int) -> None:
        self.task = task
        self.machine = machine
        self.seed = seed
        self.kind = kind_of(task)
        self.oracle = OracleWorker(machine, task.limits)
        self.baselines = Baselines(machine, task.limits)
        self.memory = MemoryBudget()
        """The memory of this process for cases, timed inputs and results."""
        self.needs: dict[str, Needs] = {}
        """The memory that judging each prepared workload takes."""
        self.one_evaluation = threading.Lock()
        """Held while a thread evaluates: all of them share the cores that are timed on."""
        self._live: dict[str, LiveWorkload] = {}

    @classmethod
    def open(cls, task: Task, machine: Machine) -> Self:
        """Return a reference with inputs from a seed that is known to this process alone."""
        return cls(task, machine, secrets.randbits(SEED_BITS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; the next use starts new ones. What is kept stays."""
        self.oracle.end()
        self.baselines.close()

    def workloads(self) -> list[Workload]:
        """Return the workloads that run on this machine's kind of device; at least one.

        Raises:
            InvalidReferenceError: there is none.
        """
        target: Target = "cpu" if self.machine.device == "cpu" else "cuda"
        found = [w for w in self.task.workloads if w.target in (None, target)]
        if not found:
            message = f"{self.task.id!r} has no workload for {target}"
            raise InvalidReferenceError(message, hint="add one to its task.toml")
        return found

    def check(self) -> None:
        """Run every workload of this device once.

        Raises:
            InvalidReferenceError: one of them fails.
            UsageError: none of them is timed.
        """
        workloads = self.workloads()
        if not any(workload.role == "bench" for workload in workloads):
            raise UsageError(
                f"task {self.task.id!r} has no timed workload for {self.machine.device!r}",
                hint="see `kernelwright tasks show`",
            )
        for workload in workloads:
            self.prepare(workload)

    @functools.cached_property
    def bandwidth(self) -> float:
        """Copy bandwidth of the device's memory, bytes per second."""
        return self.speed_of_copies(MEMORY_BYTES[self.machine.kind])

    def speed_of_copies(self, nbytes: int) -> float:
        """Bytes read and written per second when copying so many bytes, measured now."""
        with lease(self.machine.devices), known_to_work():
            return self.oracle.client.copy_bandwidth(nbytes)

    @functools.cached_property
    def product_speed(self) -> float:
        """Operations per second of a large float32 matrix product."""
        return self.speed_of_products("float32")

    def speed_of_products(self, dtype: str) -> float:
        """Operations per second of a large matrix product of a type, measured now."""
        with lease(self.machine.devices), known_to_work():
            return self.oracle.client.peak_flops(dtype)

    @functools.cached_property
    def peaks(self) -> Peaks:
        """Measured peaks of the workers' cores or GPU."""
        on_cpu = self.machine.kind == "cpu"
        flops_per_s = self.product_speed if on_cpu else self.speed_of_products("bfloat16")
        return Peaks(self.speed_of_copies(CACHE_BYTES[self.machine.kind]), flops_per_s)

    def check_device(self) -> None:
        """Check that the device still works after a candidate that may have broken it.

        Raises:
            InfrastructureError: the device does not work.
        """
        with known_to_work():
            self.oracle.client.copy_bandwidth(PROBED_BYTES)

    def prepare(self, workload: Workload) -> LiveWorkload:
        """Load the workload and check that the reference is usable.

        Raises:
            InvalidReferenceError: the reference raises, returns no tensors, is not repeatable, is
                too slow, or needs more memory than the limit or than there is.
        """
        if workload.name not in self._live:
            source, seed = effective_source(self.task, workload), derived_seed(self.seed, "like")
            client = self.oracle.client
            try:
                instance = load_reference(client, self.kind, workload, source)
                found = prepare(
                    instance,
                    self.kind,
                    workload,
                    source,
                    seed,
                    lambda one: self._require_room(one, client),
                )
            except WorkerFault as fault:
                self.oracle.end()
                raise invalid(workload, fault) from fault
            parts = Parts(self.seed, self.memory, self.oracle, self.baselines)
            self._live[workload.name] = LiveWorkload(found, parts, instance)
        return self._live[workload.name]

    @property
    def memory_words(self) -> str:
        """The memory that the prepared workloads take, in a few words; one at a time is judged."""
        return max(self.needs.values(), key=sum).words

    def _require_room(self, prepared: PreparedWorkload, oracle: WorkerClient) -> None:
        """Fit the budget to a workload; raise InvalidReferenceError if there is no room for it."""
        name, held = prepared.workload.name, prepared.state.nbytes
        if name in self.needs:
            return
        self.memory.fit(prepared.case_bytes + held)
        found = needs(self.memory, prepared, oracle)
        require_room(prepared, oracle, found)
        self.needs[name] = found
        # Both states, as constructed and perturbed, and a set of inputs.
        self.memory.take(2 * held + prepared.example_inputs.nbytes)

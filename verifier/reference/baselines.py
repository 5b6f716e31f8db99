"""The baselines' workers, which hold the reference as it is (eager) and in torch.compile.

They are only timed and do nothing else, as a candidate's worker does while it is timed.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Limits
from kernelwright.verifier.levels import Baseline
from kernelwright.verifier.reference.calls import known_to_work, load_again, run_once
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.instance import Instance
from kernelwright.verifier.worker.start import await_start, start_worker

COMPILE_TIMEOUT_S = 600.0
EAGER_TENANT = "eager"


class Baselines:
    """The baselines' workers, started at first use."""

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self._machine = machine
        self._limits = limits
        self._workers: dict[Baseline, WorkerClient] = {}
        self._loaded: dict[tuple[Baseline, str], Instance | None] = {}
        """Instances by baseline and workload; None if the workload does not compile."""
        self._spare: WorkerClient | None = None
        """A worker for eager that may still be starting."""
        self._ahead: dict[str, Future[Instance]] = {}
        """Workloads that are being compiled."""
        self._compiler = ThreadPoolExecutor(1)

    def close(self) -> None:
        """End the workers; the next use starts new ones."""
        ahead, self._ahead = list(self._ahead.values()), {}
        for future in ahead:
            future.cancel()
        if ahead and "compile" in self._workers:
            self._workers["compile"].process.kill()
        wait(ahead)
        for baseline in list(self._workers):
            self._end(baseline)
        if self._spare is not None:
            self._spare.process.kill()
            self._spare = None

    def _end(self, baseline: Baseline) -> None:
        self._workers.pop(baseline).process.kill()
        # A workload that does not compile would not compile in a new worker either.
        self._loaded = {
            key: instance
            for key, instance in self._loaded.items()
            if key[0] != baseline or instance is None
        }

    def instance(self, prepared: PreparedWorkload, baseline: Baseline) -> Instance | None:
        """Return a baseline's instance of the workload; None if it does not compile.

        Args:
            prepared: the workload with the parameters that instances get.

        Raises:
            InfrastructureError: eager fails, which has run in the oracle's worker.
        """
        key = (baseline, prepared.workload.name)
        if key not in self._loaded:
            try:
                ahead = self._ahead.pop(key[1], None) if baseline == "compile" else None
                self._loaded[key] = ahead.result() if ahead else self._load(prepared, baseline)
            except WorkerFault:
                self._end(baseline)
                if baseline == "eager":
                    with known_to_work():
                        raise
                self._loaded[key] = None
        return self._loaded[key]

    def compile_ahead(self, prepared: PreparedWorkload) -> None:
        """Start to compile a workload, beside other work; `instance` waits for it."""
        name = prepared.workload.name
        if ("compile", name) not in self._loaded and name not in self._ahead:
            self._ahead[name] = self._compiler.submit(self._load, prepared, "compile")

    def _load(self, prepared: PreparedWorkload, baseline: Baseline) -> Instance:
        if baseline not in self._workers:
            self._workers[baseline] = self._new(baseline)
            await_start(self._workers[baseline])
        instance = load_again(self._workers[baseline], prepared)
        if baseline == "compile":
            instance.compile({})
            run_once(instance, prepared, [prepared.example_inputs])
        return instance

    def _new(self, baseline: Baseline) -> WorkerClient:
        if baseline == "compile":
            return start_worker(self._machine, self._limits, timeout_s=COMPILE_TIMEOUT_S)
        client, self._spare = self._spare or self._new_eager(), None
        return client

    def _new_eager(self) -> WorkerClient:
        return start_worker(self._machine, self._limits, tenant=EAGER_TENANT)

    @property
    def eager_has_run(self) -> bool:
        """Whether the present worker of eager's has run anything."""
        eager = self._workers.get("eager")
        return eager is not None and eager.has_run

    def renew_eager(self) -> None:
        """Replace eager's worker by a fresh one, unless it has not run yet.

        An older worker has other memory, which is worth several percent in either direction.
        """
        if "eager" not in self._workers or self.eager_has_run:
            self._spare = self._spare or self._new_eager()
        if self.eager_has_run:
            self._end("eager")

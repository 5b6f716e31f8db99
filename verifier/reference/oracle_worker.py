"""The worker of the oracle, which makes inputs and expected values."""

from __future__ import annotations

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Limits
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.start import await_start, start_worker


class OracleWorker:
    """The oracle's worker, started at first use, and again after it was ended."""

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self._machine = machine
        self._limits = limits
        self._client: WorkerClient | None = None
        self._was_read = False

    @property
    def client(self) -> WorkerClient:
        """The worker's client."""
        if self._client is None:
            client = start_worker(self._machine, self._limits)
            await_start(client)
            self._client = client
        return self._client

    @property
    def was_read(self) -> bool:
        """Whether results were read from its memory, or from that of one before it."""
        if self._client is not None:
            self._was_read = self._was_read or self._client.was_read
        return self._was_read

    def end(self) -> None:
        """End the worker."""
        if self._client is not None:
            self._was_read = self.was_read
            self._client.process.kill()
            self._client = None

"""Base of the sandboxes on Linux: a fork server, a thread that starts things, a list of workers.

A worker asks to be killed when its parent dies, and to Linux the parent is a thread. So one thread
starts everything, and lives as long as the sandbox.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.escapes import LAUNCH, LIVE
from kernelwright.sandbox.forkserver_client import ForkServer
from kernelwright.sandbox.linux_worker import Enclosure, LinuxWorker
from kernelwright.schema import SandboxInfo


class LinuxSandbox(ABC):
    """Base of sandboxes that start each worker in an enclosure of its own.

    Args:
        info: what these enclosures hold.
    """

    def __init__(self, info: SandboxInfo) -> None:
        self.info = info
        self._workers: weakref.WeakSet[LinuxWorker] = weakref.WeakSet()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")
        self._forkserver: ForkServer | None = None

    @abstractmethod
    def _make_enclosure(self, spec: WorkerSpec) -> Enclosure:
        """Make an enclosure for one worker."""

    @abstractmethod
    def _make_forkserver(self, spec: WorkerSpec) -> ForkServer:
        """Make a fork server that starts workers like the first one."""

    def start(self, spec: WorkerSpec) -> LinuxWorker:
        """See `Sandbox.start`."""
        try:
            worker = self._starter.submit(self._start, spec).result()
        except OSError as error:
            raise InfrastructureError(
                f"cannot start a worker: {error}", hint="check memory, disk and process limits"
            ) from error
        self._workers.add(worker)
        return worker

    def _start(self, spec: WorkerSpec) -> LinuxWorker:
        if self._forkserver is None:
            with LAUNCH:
                self._forkserver = self._make_forkserver(spec)
                LIVE.add(self._forkserver.pid)
        enclosure = self._make_enclosure(spec)
        try:
            return LinuxWorker(spec, self._forkserver, enclosure)
        except (OSError, InfrastructureError):
            enclosure.end()
            raise

    def close(self) -> None:
        """See `Sandbox.close`."""
        for worker in list(self._workers):
            worker.kill()
        if self._forkserver is not None:
            self._forkserver.close()
            LIVE.discard(self._forkserver.pid)
            self._forkserver = None
        self._starter.shutdown()

"""What sandboxes on Linux have in common: a zygote, a thread that starts things, a list of workers.

A worker asks to be killed when its parent dies, and to Linux the parent is a thread. So one thread
starts everything, and lives as long as the sandbox.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerSpec
from kernelwright.sandbox.launcher import Zygote
from kernelwright.sandbox.linux import LinuxWorker, Place
from kernelwright.sandbox.strays import LAUNCH, LIVE
from kernelwright.schema import SandboxInfo


class LinuxSandbox(ABC):
    """Starts workers, each in a place of its own.

    Args:
        info: what these places hold.
    """

    def __init__(self, info: SandboxInfo) -> None:
        self.info = info
        self._workers: weakref.WeakSet[LinuxWorker] = weakref.WeakSet()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")
        self._zygote: Zygote | None = None

    @abstractmethod
    def _make_place(self, spec: WorkerSpec) -> Place:
        """A place for one worker."""

    @abstractmethod
    def _make_zygote(self, spec: WorkerSpec) -> Zygote:
        """What starts workers like the first one."""

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
        if self._zygote is None:
            with LAUNCH:
                self._zygote = self._make_zygote(spec)
                LIVE.add(self._zygote.pid)
        place = self._make_place(spec)
        try:
            return LinuxWorker(spec, self._zygote, place)
        except (OSError, InfrastructureError):
            place.end()
            raise

    def close(self) -> None:
        """See `Sandbox.close`."""
        for worker in list(self._workers):
            worker.kill()
        if self._zygote is not None:
            self._zygote.close()
            LIVE.discard(self._zygote.pid)
            self._zygote = None
        self._starter.shutdown()

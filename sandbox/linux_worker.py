"""A worker on Linux: a child of this process, in the enclosure that a sandbox gives it."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import UnstoppableError, WorkerSpec, sandbox_python
from kernelwright.sandbox.escapes import LAUNCH, LIVE, MARK, cpu_seconds, end, send
from kernelwright.sandbox.forkserver_client import Child, Confinement, ForkServer, Order
from kernelwright.sandbox.memory import cores_of, set_cores, spread, thread_ids

MAX_FILE_BYTES = 2**30
STDERR_BYTES = 200_000
PASSED_ON = ("PATH", "LANG", "LC_ALL", "CUDA_HOME", "LD_LIBRARY_PATH", "CXX", "CC")
KILL_WAIT_S = 10.0
STOP_WAIT_S = 5.0
# Heaps of huge pages where the system gives them on demand, and no freed blocks kept by threads.
# With small pages, or small freed blocks between large ones, the luck of where memory lies makes
# one process up to a fifth slower than its twin, for as long as it lives.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=0"}
# Descriptors in the worker: 0 to 2 are its standard ones.
CHANNEL, SHARED = 3, 4


class Enclosure(Protocol):
    """The enclosure of one worker: its folder, and what keeps it there."""

    @property
    def folder(self) -> Path:
        """Its private folder as the host sees it, with all files that it was given."""

    @property
    def inside(self) -> str:
        """The same folder as the worker sees it."""

    @property
    def name(self) -> str:
        """Its name, unlike that of any other enclosure of this process."""

    def confinement(self, first: int) -> tuple[Confinement | None, Sequence[int]]:
        """Return what the worker is put into, and descriptors for that, counted from `first`."""

    def escaped(self, worker: int) -> list[int]:
        """Return running processes that a worker started and that are not of its session."""

    def is_intact(self) -> bool:
        """Whether it is as it was made; if not, the worker in it is not to blame."""

    def end(self) -> None:
        """Kill what still runs in it and remove it. May be called more than once."""


class LinuxWorker:
    """A worker in an enclosure."""

    def __init__(self, spec: WorkerSpec, forkserver: ForkServer, enclosure: Enclosure) -> None:
        self._enclosure = enclosure
        # Has no name, so that a worker can't put a pipe or a link in its place.
        self._stderr = tempfile.TemporaryFile()
        self.shared = shared_memory(spec.shared_bytes)
        self._cores = spec.cores or sorted(os.sched_getaffinity(0))
        self.channel, far = socket.socketpair()
        with far, open(os.devnull) as nothing:
            output = self._stderr.fileno()
            passed = [nothing.fileno(), output, output, far.fileno(), self.shared]
            confinement, keys = enclosure.confinement(len(passed))
            order = self._order(spec, forkserver.python, len(passed), confinement)
            try:
                with LAUNCH:
                    self._child = Child(forkserver.start(order, [*passed, *keys]))
                    LIVE.add(self.pid)
            finally:
                for key in keys:
                    os.close(key)
        self._stopped: list[int] = []
        self._threads: list[int] = []
        self._ended = False
        self.foreign_cores: set[int] = set()
        weakref.finalize(self, _abandoned, self._child, enclosure)

    @property
    def folder(self) -> Path:
        """See `WorkerProcess.folder`."""
        return self._enclosure.folder

    @property
    def inside(self) -> str:
        """See `WorkerProcess.inside`."""
        return self._enclosure.inside

    @property
    def pid(self) -> int:
        """See `WorkerProcess.pid`; it is also that of its group and session."""
        return self._child.pid

    def _order(
        self, spec: WorkerSpec, python: str, passed: int, confinement: Confinement | None
    ) -> Order:
        words = {"{fd}": str(CHANNEL), "{shared}": str(SHARED)}
        argv = [words.get(argument, argument) for argument in spec.argv]
        program, *before = [
            *(part.format(folder=self.inside) for part in spec.wrapper),
            python,
        ]
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: max(MAX_FILE_BYTES, spec.shared_bytes),
            resource.RLIMIT_DATA: spec.memory_bytes,
        }
        return Order(
            argv=argv if spec.warm else [*before, *sandbox_python(self._program(argv))],
            env=self._environment(spec, python),
            folder=self.inside,
            cores=self._cores,
            limits=limits,
            warm=spec.warm,
            passed=passed,
            python=program,
            confinement=confinement,
        )

    def _program(self, argv: Sequence[str]) -> Sequence[str]:
        """Replace the file to run by a copy in the folder: an enclosure may hide the host's."""
        if not os.path.isabs(argv[0]):
            return argv
        name = Path(argv[0]).name
        shutil.copyfile(argv[0], self.folder / name)
        (self.folder / name).chmod(0o644)
        return [f"{self.inside}/{name}", *argv[1:]]

    def _environment(self, spec: WorkerSpec, python: str) -> dict[str, str]:
        kept = clean_environment(python)
        private = {"HOME": self.inside, "TMPDIR": f"{self.inside}/tmp"}
        own = {
            name: text.format(folder=self.inside, path=kept["PATH"])
            for name, text in spec.env.items()
        }
        return {**kept, **private, **own, MARK: self._enclosure.name}

    def freeze(self) -> float:
        """See `WorkerProcess.freeze`."""
        # The signal goes to the main thread, which stops the others: it must not wait behind one.
        self.foreign_cores |= cores_of(self.pid) - set(self._cores)
        set_cores(self.pid, self._cores[:1])
        stopped = self._child.stop(STOP_WAIT_S)
        stopped_at = time.perf_counter()
        self._stopped = self.escaped()
        for pid in self._stopped:
            send(pid, signal.SIGSTOP)
        self._threads = thread_ids(self.pid)
        self.foreign_cores |= spread(self._threads, self._cores)
        if not stopped:
            message = f"the worker could not be stopped within {STOP_WAIT_S:.0f} s"
            raise UnstoppableError(message)
        return stopped_at

    def thaw(self) -> None:
        """See `WorkerProcess.thaw`."""
        self._child.signal(signal.SIGCONT)
        for pid in self._stopped:
            send(pid, signal.SIGCONT)

    def release(self) -> None:
        """See `WorkerProcess.release`."""
        for thread in self._threads:  # others inherit it
            set_cores(thread, self._cores)

    def kill(self) -> None:
        """See `WorkerProcess.kill`."""
        if self._ended:
            return
        self._ended = True
        for pid in self.escaped():  # while its parent still says which worker's it is
            end(pid)
        self._child.signal(signal.SIGKILL)
        self.channel.close()
        self._stderr.close()
        os.close(self.shared)
        if is_dead := self._child.has_ended(KILL_WAIT_S):
            # Before that it would be taken for something that another worker started, and be
            # reaped there; after it was reaped its number may be another's.
            LIVE.discard(self.pid)
            self._child.wait(0)
        self._enclosure.end()
        if not is_dead:
            raise InfrastructureError(
                f"worker {self.pid} did not die within {KILL_WAIT_S:.0f} s of SIGKILL"
            )

    def exit_status(self, timeout_s: float) -> int | None:
        """See `WorkerProcess.exit_status`."""
        status = self._child.wait(timeout_s)
        if status == -signal.SIGKILL and not self._ended and not self._enclosure.is_intact():
            message = "the enclosure that a worker ran in was removed from outside"
            raise InfrastructureError(message, hint="see what else manages sandboxes here")
        return status

    def cpu_seconds(self) -> float | None:
        """See `WorkerProcess.cpu_seconds`."""
        return cpu_seconds(self.pid)

    def escaped(self) -> list[int]:
        """See `WorkerProcess.escaped`."""
        return self._enclosure.escaped(self.pid)

    def stderr(self) -> str:
        """See `WorkerProcess.stderr`."""
        if self._stderr.closed:
            return ""
        descriptor = self._stderr.fileno()
        start = max(0, os.fstat(descriptor).st_size - STDERR_BYTES)
        return os.pread(descriptor, STDERR_BYTES, start).decode(errors="replace")


def _abandoned(child: Child, enclosure: Enclosure) -> None:
    """End a worker that was not killed, and its enclosure once the worker was waited for."""
    if child.wait(0) is None:
        child.signal(signal.SIGKILL)
        child.wait(KILL_WAIT_S)
    enclosure.end()


def clean_environment(python: str = sys.executable) -> dict[str, str]:
    """Return the environment of a worker with this interpreter: the allowed part of ours."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # ninja comes with this interpreter's packages, whose scripts need not be on PATH.
    path = os.pathsep.join([str(Path(python).parent), kept.get("PATH", os.defpath)])
    return {**kept, **ALLOCATOR, "PATH": path}


def shared_memory(size: int) -> int:
    """Return a descriptor of new memory of a size that can't be changed."""
    descriptor = os.memfd_create("kernelwright", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor

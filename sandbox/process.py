"""The `process` sandbox: own session, rlimits, clean environment, private folder.

The last resort, on any Linux machine. It holds against accidents (hangs, forks, memory, leftovers),
not against malice: the worker runs as the same user, sees the file system and has the network.
"""

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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import UnstoppableError, WorkerSpec, sandbox_python
from kernelwright.sandbox.launcher import Child, Order, Zygote
from kernelwright.sandbox.memory import cores_of, set_cores, spread, thread_ids
from kernelwright.sandbox.strays import LAUNCH, LIVE, MARK, cpu_seconds, end, send, strays
from kernelwright.schema import SandboxInfo

INFO = SandboxInfo(
    kind="process",
    holds=(
        "own session and process group, killed as a whole",
        "memory, file-size and core-dump limits",
        "clean environment without keys",
        "private temporary folder",
    ),
    lacks=(
        "network isolation",
        "file-system isolation",
        "a user of its own",
        "children that leave the session and hide where they come from",
        "protection of other processes' memory from the same user",
    ),
)
MAX_FILE_BYTES = 4 * 2**30
STDERR_BYTES = 200_000
PASSED_ON = ("PATH", "LANG", "LC_ALL", "CUDA_HOME", "LD_LIBRARY_PATH", "CXX", "CC")
KILL_WAIT_S = 10.0
STOP_WAIT_S = 5.0
# Heaps of huge pages where the system gives them on demand: with small ones the luck of where they
# lie makes one process up to a fifth slower than its twin, for as long as it lives.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# Descriptors in the worker: 0 to 2 are its standard ones.
CHANNEL, SHARED = 3, 4


class ProcessWorker:
    """A worker that is a plain child process."""

    def __init__(self, spec: WorkerSpec, zygote: Zygote) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kernelwright-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        # Has no name, so that a worker can't put a pipe or a link in its place.
        self._stderr = tempfile.TemporaryFile()
        self.shared = shared_memory(spec.shared_bytes)
        (self.folder / "tmp").mkdir()
        for name, source in spec.files.items():
            shutil.copytree(source, self.folder / name, symlinks=True)
        self._cores = spec.cores or sorted(os.sched_getaffinity(0))
        self.channel, far = socket.socketpair()
        with far, open(os.devnull) as nothing:
            output = self._stderr.fileno()
            descriptors = [nothing.fileno(), output, output, far.fileno(), self.shared]
            with LAUNCH:
                self._child = Child(zygote.start(self._order(spec), descriptors))
                LIVE.add(self.pid)
        self._stopped: list[int] = []
        self._threads: list[int] = []
        self.foreign_cores: set[int] = set()

    @property
    def pid(self) -> int:
        """See `WorkerProcess.pid`; it is also that of its group and session."""
        return self._child.pid

    def _order(self, spec: WorkerSpec) -> Order:
        words = {"{fd}": str(CHANNEL), "{shared}": str(SHARED)}
        argv = [words.get(argument, argument) for argument in spec.argv]
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: max(MAX_FILE_BYTES, spec.shared_bytes),
            resource.RLIMIT_DATA: spec.memory_bytes,
        }
        return Order(
            argv=argv if spec.warm else sandbox_python(argv),
            env=self._environment(spec),
            folder=str(self.folder),
            cores=self._cores,
            limits=limits,
            warm=spec.warm,
        )

    def _environment(self, spec: WorkerSpec) -> dict[str, str]:
        kept = clean_environment()
        private = {"HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        own = {
            name: text.format(folder=self.folder, path=kept["PATH"])
            for name, text in spec.env.items()
        }
        return {**kept, **private, **own, MARK: self.folder.name}

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
        if not self._remove.alive:
            return
        for pid in self.escaped():  # while its parent still says whose it is
            end(pid)
        self._child.signal(signal.SIGKILL)
        LIVE.discard(self.pid)
        self.channel.close()
        self._stderr.close()
        os.close(self.shared)
        if self._child.wait(KILL_WAIT_S) is None:
            raise InfrastructureError(
                f"worker {self.pid} did not die within {KILL_WAIT_S:.0f} s of SIGKILL"
            )
        self._remove()

    def exit_status(self, timeout_s: float) -> int | None:
        """See `WorkerProcess.exit_status`."""
        return self._child.wait(timeout_s)

    def cpu_seconds(self) -> float | None:
        """See `WorkerProcess.cpu_seconds`."""
        return cpu_seconds(self.pid)

    def escaped(self) -> list[int]:
        """See `WorkerProcess.escaped`."""
        return strays(self.pid, self.folder.name)

    def stderr(self) -> str:
        """See `WorkerProcess.stderr`."""
        if self._stderr.closed:
            return ""
        descriptor = self._stderr.fileno()
        start = max(0, os.fstat(descriptor).st_size - STDERR_BYTES)
        return os.pread(descriptor, STDERR_BYTES, start).decode(errors="replace")


def clean_environment() -> dict[str, str]:
    """What of this process's environment a worker may see."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # ninja comes with this interpreter's packages, whose scripts need not be on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, **ALLOCATOR, "PATH": path}


def shared_memory(size: int) -> int:
    """A descriptor of new memory whose size nobody can change."""
    descriptor = os.memfd_create("kernelwright", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor


class ProcessSandbox:
    """Starts workers as plain child processes.

    A worker asks to be killed when its parent dies, and to Linux the parent is a thread. So one
    thread starts the zygote, and lives as long as the sandbox.
    """

    def __init__(self) -> None:
        self.info = INFO
        self._workers: weakref.WeakSet[ProcessWorker] = weakref.WeakSet()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")
        self._zygote: Zygote | None = None

    def start(self, spec: WorkerSpec) -> ProcessWorker:
        """See `Sandbox.start`."""
        try:
            worker = self._starter.submit(self._start, spec).result()
        except OSError as error:
            raise InfrastructureError(
                f"cannot start a worker: {error}", hint="check memory, disk and process limits"
            ) from error
        self._workers.add(worker)
        return worker

    def _start(self, spec: WorkerSpec) -> ProcessWorker:
        if self._zygote is None:
            with LAUNCH:
                self._zygote = Zygote(sandbox_python(()), clean_environment())
                LIVE.add(self._zygote.pid)
        return ProcessWorker(spec, self._zygote)

    def close(self) -> None:
        """See `Sandbox.close`."""
        for worker in list(self._workers):
            worker.kill()
        if self._zygote is not None:
            self._zygote.close()
            LIVE.discard(self._zygote.pid)
            self._zygote = None
        self._starter.shutdown()

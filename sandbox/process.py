"""The `process` sandbox: own session, rlimits, clean environment, private folder.

The last resort, on any machine. It holds against accidents (hangs, forks, memory, leftovers), not
against malice: the worker runs as the same user, sees the file system and has the network.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kernelwright.errors import InfrastructureError
from kernelwright.sandbox.base import WorkerSpec, sandbox_python
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
        "children that leave the session",
        "protection of other processes' memory from the same user",
    ),
)
MAX_FILE_BYTES = 4 * 2**30
STDERR_BYTES = 200_000
PASSED_ON = ("PATH", "LANG", "LC_ALL", "CUDA_HOME", "LD_LIBRARY_PATH", "CXX", "CC")
KILL_WAIT_S = 10.0
# utime, stime and those of ended children in /proc/PID/stat, counted from behind the name.
CPU_FIELDS = slice(11, 15)


class ProcessWorker:
    """A worker that is a plain child process."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kernelwright-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        # Has no name, so that a worker can't put a pipe or a link in its place.
        self._stderr = tempfile.TemporaryFile()
        (self.folder / "tmp").mkdir()
        for name, source in spec.files.items():
            shutil.copytree(source, self.folder / name, symlinks=True)
        self.channel, far = socket.socketpair()
        with far:
            self._process = subprocess.Popen(
                [sys.executable, *sandbox_python(_filled(spec.argv, far.fileno()))],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=[far.fileno()],
                cwd=self.folder,
                env=self._environment(spec),
                start_new_session=True,
            )
        self._limit(spec)

    @property
    def pid(self) -> int:
        """The worker's process, which is also its group."""
        return self._process.pid

    def _environment(self, spec: WorkerSpec) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # ninja comes with this interpreter's packages, whose scripts need not be on PATH.
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        private = {"PATH": path, "HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        own = {n: text.format(folder=self.folder, path=path) for n, text in spec.env.items()}
        return {**kept, **private, **own}

    def _limit(self, spec: WorkerSpec) -> None:
        # Set from outside, before the judge sends the first operation: the worker has imported
        # nothing of the candidate yet.
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
            resource.RLIMIT_DATA: spec.memory_bytes,
        }
        for kind, value in limits.items():
            try:
                resource.prlimit(self._process.pid, kind, (value, value))
            except ProcessLookupError:
                return

    def freeze(self) -> None:
        """See `WorkerProcess.freeze`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """See `WorkerProcess.thaw`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """See `WorkerProcess.kill`."""
        if not self._remove.alive:
            return
        self._signal(signal.SIGKILL)
        self.channel.close()
        self._stderr.close()
        try:
            self._process.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                f"worker {self._process.pid} did not die within {KILL_WAIT_S:.0f} s of SIGKILL"
            ) from error
        self._remove()

    def exit_status(self, timeout_s: float) -> int | None:
        """See `WorkerProcess.exit_status`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def cpu_seconds(self) -> float | None:
        """See `WorkerProcess.cpu_seconds`."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = text.rpartition(")")[2].split()
        return sum(map(int, fields[CPU_FIELDS])) / os.sysconf("SC_CLK_TCK")

    def stderr(self) -> str:
        """See `WorkerProcess.stderr`."""
        if self._stderr.closed:
            return ""
        descriptor = self._stderr.fileno()
        start = max(0, os.fstat(descriptor).st_size - STDERR_BYTES)
        return os.pread(descriptor, STDERR_BYTES, start).decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _filled(argv: tuple[str, ...], descriptor: int) -> list[str]:
    return [argument.replace("{fd}", str(descriptor)) for argument in argv]


class ProcessSandbox:
    """Starts workers as plain child processes.

    A worker asks to be killed when its parent dies, and to Linux the parent is a thread. So one
    thread starts them all, and lives as long as the sandbox.
    """

    def __init__(self) -> None:
        self.info = INFO
        self._workers: weakref.WeakSet[ProcessWorker] = weakref.WeakSet()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")

    def start(self, spec: WorkerSpec) -> ProcessWorker:
        """See `Sandbox.start`."""
        try:
            worker = self._starter.submit(ProcessWorker, spec).result()
        except OSError as error:
            raise InfrastructureError(
                f"cannot start a worker: {error}", hint="check memory, disk and process limits"
            ) from error
        self._workers.add(worker)
        return worker

    def close(self) -> None:
        """See `Sandbox.close`."""
        for worker in list(self._workers):
            worker.kill()
        self._starter.shutdown()

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
        "protection of other processes' memory from the same user",
    ),
)
MAX_FILE_BYTES = 4 * 2**30
STDERR_CHARACTERS = 16_000
PASSED_ON = ("PATH", "LANG", "LC_ALL", "CUDA_HOME", "LD_LIBRARY_PATH", "CXX", "CC")
KILL_WAIT_S = 10.0


class ProcessWorker:
    """A worker that is a plain child process."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kernelwright-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._stderr_path = self.folder / "stderr.txt"
        (self.folder / "tmp").mkdir()
        for name, source in spec.files.items():
            shutil.copytree(source, self.folder / name)
        self.channel, far = socket.socketpair()
        with far, self._stderr_path.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, *sandbox_python(_filled(spec.argv, far.fileno()))],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=[far.fileno()],
                cwd=self.folder,
                env=self._environment(spec),
                start_new_session=True,
            )
        self._limit(spec)

    def _environment(self, spec: WorkerSpec) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        private = {"HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        own = {name: text.format(folder=self.folder) for name, text in spec.env.items()}
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

    def stderr(self) -> str:
        """See `WorkerProcess.stderr`."""
        try:
            return self._stderr_path.read_text(errors="replace")[-STDERR_CHARACTERS:]
        except FileNotFoundError:
            return ""

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _filled(argv: tuple[str, ...], descriptor: int) -> list[str]:
    return [argument.replace("{fd}", str(descriptor)) for argument in argv]


class ProcessSandbox:
    """Starts workers as plain child processes."""

    def __init__(self) -> None:
        self.info = INFO
        self._workers: weakref.WeakSet[ProcessWorker] = weakref.WeakSet()

    def start(self, spec: WorkerSpec) -> ProcessWorker:
        """See `Sandbox.start`."""
        try:
            worker = ProcessWorker(spec)
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

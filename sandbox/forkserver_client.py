"""The host's end of the fork server: start a worker, wait for it."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.errors import InfrastructureError

FORKSERVER = Path(__file__).parent / "forkserver.py"
# Goes over to another process's mounts, then runs the program.
ENTER = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).setns(int(sys.argv[1]), 0x20000) != 0:
    sys.exit(f"cannot see another process's files: {os.strerror(ctypes.get_errno())}")
os.chdir("/")
os.execv(sys.argv[2], sys.argv[2:])
"""
PR_SET_CHILD_SUBREAPER = 36
MAX_ANSWER_BYTES = 500
WATCH_S = 1.0


class Rights(NamedTuple):
    """The rights left to a worker; see `renounce` in sandbox/forkserver.py."""

    user: int | None
    filter: str


class Confinement(NamedTuple):
    """An enclosure, as a worker enters it; descriptors are given by their index in the order's."""

    init: int
    """A pidfd of a process in the namespaces."""
    namespaces: int
    """Namespaces to join, as flags of setns(2)."""
    groups: Sequence[int]
    """Open cgroup.procs files of control groups."""
    apart: int
    """Namespaces to have apart from others in the enclosure, as flags of unshare(2)."""
    mounts: Mapping[str, str]
    """tmpfs in the enclosure -> its options; a new one where mounts are apart."""
    shown: Sequence[str]
    """Paths to see where they are, whatever these mounts or the modes of folders above hide; where
    mounts are apart."""
    rights: Rights


class Order(NamedTuple):
    """An order to start a worker."""

    argv: Sequence[str]
    """A file and its arguments when `warm`, else arguments of the interpreter."""
    env: Mapping[str, str]
    folder: str
    cores: Sequence[int]
    limits: Mapping[int, int]
    """rlimit -> soft and hard value."""
    warm: bool
    passed: int
    """Number of descriptors that the worker gets; the rest open its enclosure."""
    python: str
    """Path of the interpreter for a worker that is not warm, as the worker sees it."""
    confinement: Confinement | None = None


class ForkServer:
    """A client of a fork server, which starts children of this process; see sandbox/forkserver.py.

    Args:
        arguments: of its interpreter, before the file.
        env: its environment; a warm worker gets its own, but the C library has read this one.
        python: its interpreter, and that of workers that are not warm.
        mounts: a pidfd of another process, to see its files; this one's by default.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        python: str = sys.executable,
        mounts: int | None = None,
    ) -> None:
        become_subreaper()
        self.python = python
        self._lock = threading.Lock()
        self._orders, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [python, *arguments, str(FORKSERVER), str(far.fileno())]
        passed = [far.fileno()]
        if mounts is not None:  # where there is no such file
            command[-2:-1] = ["-c", FORKSERVER.read_text()]
            command = [sys.executable, "-I", "-B", "-c", ENTER, str(mounts), *command]
            passed.append(mounts)
        with far:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=passed,
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def start(self, order: Order, descriptors: Sequence[int]) -> int:
        """Start a process with these descriptors as 0, 1, 2 ...; return its id.

        Raises:
            InfrastructureError: the fork server is gone.
        """
        packet = json.dumps(_plain(order)).encode()
        with self._lock:
            try:
                socket.send_fds(self._orders, [packet], list(descriptors))
                answer = self._orders.recv(MAX_ANSWER_BYTES)
            except OSError as error:
                raise InfrastructureError(f"cannot start a worker: {error}") from error
        if not answer:
            message = "the process that starts workers is gone"
            raise InfrastructureError(message, hint="`kernelwright doctor` checks torch")
        if not answer.isdigit():
            words = answer.decode(errors="replace").removeprefix("error: ")
            raise InfrastructureError(f"cannot start a worker in its enclosure: {words}")
        return int(answer)

    def close(self) -> None:
        """End it; the workers that it started go on."""
        self._orders.close()
        self._process.wait()


def _plain(record: Any) -> Any:
    """Return named tuples as dicts, for JSON."""
    if hasattr(record, "_asdict"):
        return {name: _plain(value) for name, value in record._asdict().items()}
    return dict(record) if isinstance(record, Mapping) else record


def become_subreaper() -> None:
    """Make this process the parent of its orphaned descendants."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Child:
    """A child process by id: waits, signals its group, keeps its exit status."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._status: int | None = None

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code (negative: signal), or None if it still runs after `timeout_s`."""
        if self._status is None and self.has_ended(timeout_s):
            result = os.waitid(os.P_PID, self.pid, os.WEXITED)
            assert result is not None
            killed = result.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            self._status = -result.si_status if killed else result.si_status
            os.close(self._descriptor)
        return self._status

    def has_ended(self, timeout_s: float) -> bool:
        """Whether it has ended by then; it may not have been waited for."""
        if self._status is not None:
            return True
        return bool(select.select([self._descriptor], [], [], timeout_s)[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def stop(self, timeout_s: float) -> bool:
        """Stop the group; one that does not stop is killed.

        Returns:
            Whether every thread of the child stood still, or it had ended, in time. One that waits
            for a child after vfork does not before that child goes on.
        """
        self.signal(signal.SIGSTOP)
        if self._status is not None:
            return True
        # Waits asleep: polling would keep a thread that shares this CPU from stopping.
        with WATCHDOG.guarding(self.pid, timeout_s):
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return not WATCHDOG.has_killed(self.pid)


class Watchdog:
    """A killer of processes that are waited for too long; a system call has no time-out."""

    def __init__(self) -> None:
        self._deadlines: dict[int, float] = {}
        self._killed: set[int] = set()
        self._started = False

    @contextmanager
    def guarding(self, pid: int, timeout_s: float) -> Iterator[None]:
        """Kill the process unless the body ends in time, give or take WATCH_S."""
        self._deadlines[pid] = time.monotonic() + timeout_s
        if not self._started:
            self._started = True
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            self._deadlines.pop(pid, None)

    def has_killed(self, pid: int) -> bool:
        """Whether it killed this process."""
        return pid in self._killed

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_S)
            for pid, deadline in list(self._deadlines.items()):
                if time.monotonic() > deadline and self._deadlines.pop(pid, 0.0):
                    self._killed.add(pid)
                    os.kill(pid, signal.SIGKILL)


WATCHDOG = Watchdog()

"""The host's end of the zygote: start a worker, wait for it."""

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.errors import InfrastructureError

ZYGOTE = Path(__file__).parent / "zygote.py"
PR_SET_CHILD_SUBREAPER = 36
MAX_ANSWER_BYTES = 32
# A process stops within some 30 microseconds; to sleep in between would make that a millisecond.
SPIN_S = 0.005


class Order(NamedTuple):
    """What to start."""

    argv: Sequence[str]
    """A file and its arguments when `warm`, else arguments of the interpreter."""
    env: Mapping[str, str]
    folder: str
    cores: Sequence[int]
    limits: Mapping[int, int]
    """rlimit -> soft and hard value."""
    warm: bool


class Zygote:
    """Starts processes that are children of this one; see sandbox/zygote.py.

    Args:
        arguments: of its interpreter, before the file.
        env: its environment; a warm worker gets its own, but the C library has read this one.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        become_subreaper()
        self._lock = threading.Lock()
        self._orders, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process = subprocess.Popen(
                [sys.executable, *arguments, str(ZYGOTE), str(far.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[far.fileno()],
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def start(self, order: Order, descriptors: Sequence[int]) -> int:
        """Start a process with these descriptors as 0, 1, 2 ...; returns its id.

        Raises:
            InfrastructureError: the zygote is gone.
        """
        packet = json.dumps(order._asdict()).encode()
        with self._lock:
            try:
                socket.send_fds(self._orders, [packet], list(descriptors))
                answer = self._orders.recv(MAX_ANSWER_BYTES)
            except OSError as error:
                raise InfrastructureError(f"cannot start a worker: {error}") from error
        if not answer:
            message = "the process that starts workers is gone"
            raise InfrastructureError(message, hint="`kernelwright doctor` checks torch")
        return int(answer)

    def close(self) -> None:
        """End it; the workers that it started go on."""
        self._orders.close()
        self._process.wait()


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
        """Exit code (negative: signal), or None while it still runs after `timeout_s`."""
        if self._status is None and select.select([self._descriptor], [], [], timeout_s)[0]:
            result = os.waitid(os.P_PID, self.pid, os.WEXITED)
            assert result is not None
            killed = result.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            self._status = -result.si_status if killed else result.si_status
            os.close(self._descriptor)
        return self._status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def stop(self, timeout_s: float) -> bool:
        """Stop the group.

        Returns:
            Whether every thread of the child stands still, or it has ended, in time. One that
            waits for a child after vfork does not before that child goes on.
        """
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + timeout_s
        spinning_until = time.monotonic() + SPIN_S
        while self._status is None and not self._has_stopped():
            if time.monotonic() > deadline:
                return False
            if time.monotonic() > spinning_until:
                time.sleep(0.001)
        return True

    def _has_stopped(self) -> bool:
        states = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.pid, states) is not None

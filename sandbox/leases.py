"""Leases: one timed job at a time on a GPU or a CPU, across all processes of this machine.

A lease is a lock on a file of that device's name (flock), which the system gives back when its
holder dies. All kernelwright processes of the machine look in one folder, whatever their user.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kernelwright.errors import InfrastructureError

# The same for all, whatever their TMPDIR.
FOLDER = Path("/tmp/kernelwright-leases")
WAIT_S = 1800.0
POLL_S = 0.01
GLANCES = 5


def core_name(core: int) -> str:
    """Return a CPU's name as a device."""
    return f"cpu{core}"


@contextmanager
def lease(
    devices: Iterable[str], wait_s: float = WAIT_S, hurry: threading.Event | None = None
) -> Iterator[None]:
    """Hold some devices while the body runs.

    Args:
        devices: names that are file names, such as `cpu3` or a GPU's UUID.
        wait_s: for all of them.
        hurry: go on without those that others have, once it is set.

    Raises:
        InfrastructureError: another process kept one too long, or the folder can't be used.
    """
    deadline = time.monotonic() + wait_s
    with ExitStack() as held:
        for device in sorted(set(devices)):  # in one order, so that no circle waits
            descriptor = _opened(device)
            held.callback(os.close, descriptor)
            _lock(descriptor, device, deadline, hurry)
        yield


@contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """Yield whether no other process of this machine is in such a body for the same name.

    Args:
        name: a file name that no device has.
    """
    descriptor = _opened(name)
    try:
        if not _locked_soon(descriptor):
            yield False
        else:
            yield True
            (FOLDER / name).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def is_locked(name: str) -> bool:
    """Return whether a process of this machine is in the body of `try_lock` for a name."""
    try:
        descriptor = os.open(FOLDER / name, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # its holder makes the file
        return False
    try:
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _locked_soon(descriptor: int) -> bool:
    """Lock a file, if need be after some tries: `is_locked` of others holds it for a moment."""
    for _ in range(GLANCES):
        if _locked(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(POLL_S)
    return False


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(device: str) -> int:
    try:
        if not FOLDER.exists():
            FOLDER.mkdir(exist_ok=True)
            FOLDER.chmod(0o1777)
        path = FOLDER / device
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_NOFOLLOW | os.O_RDWR, 0o666))
        # Not to be created in this call: systems refuse that for others' files in such folders.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise InfrastructureError(f"cannot lease {device}: {error}") from error


def _lock(descriptor: int, device: str, deadline: float, hurry: threading.Event | None) -> None:
    while hurry is None or not hurry.is_set():
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                message = f"another process times something on {device} and does not end"
                hint = "`fuser` on the folder of leases names it"
                raise InfrastructureError(message, hint=f"{hint}: {FOLDER}") from error
        time.sleep(POLL_S)

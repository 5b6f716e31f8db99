"""Reading another process's memory, and where its threads are: what a stopped worker shows."""

from __future__ import annotations

import concurrent.futures
import ctypes
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

C_LIBRARY = ctypes.CDLL(None, use_errno=True)
C_LIBRARY.process_vm_readv.restype = ctypes.c_ssize_t


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class UnreadableError(OSError):
    """Lack of memory at that address of the other process."""


def read_memory(pid: int, addresses: Sequence[int], target: memoryview, timeout_s: float) -> bool:
    """Fill `target` from another process's memory (process_vm_readv), equal parts of each address.

    Memory can be made to appear only when it is read (userfaultfd), by code that need not hurry.

    Returns:
        False where this system does not let us.

    Raises:
        UnreadableError: there is no such memory, or no such process.
        TimeoutError: it does not come. The attempt ends when the process is killed.
    """
    attempt = concurrent.futures.Future[bool]()
    reader = threading.Thread(target=_attempt, args=(attempt, pid, addresses, target), daemon=True)
    reader.start()
    return attempt.result(timeout_s)


def _attempt(
    attempt: concurrent.futures.Future[bool],
    pid: int,
    addresses: Sequence[int],
    target: memoryview,
) -> None:
    try:
        attempt.set_result(_read_parts(pid, addresses, target))
    except (OSError, ValueError) as error:
        attempt.set_exception(error)


def _read_parts(pid: int, addresses: Sequence[int], target: memoryview) -> bool:
    size = target.nbytes // len(addresses)
    parts = enumerate(addresses)
    return all(_read(pid, address, target[i * size : (i + 1) * size]) for i, address in parts)


def _read(pid: int, address: int, target: memoryview) -> bool:
    done = 0
    while done < target.nbytes:
        buffer = (ctypes.c_char * (target.nbytes - done)).from_buffer(target[done:])
        local = _Vector(ctypes.addressof(buffer), len(buffer))
        remote = _Vector(address + done, len(buffer))
        count = C_LIBRARY.process_vm_readv(
            pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, ctypes.c_ulong(0)
        )
        if count < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
            return False
        if count <= 0:
            raise UnreadableError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        done += count
    return True


class MappedRegion(NamedTuple):
    """One mapped region of a process."""

    start: int
    end: int
    path: str
    """Empty for memory without a file."""
    offset: int = 0
    """Offset in the file at which it begins."""


def mappings(pid: int) -> list[MappedRegion]:
    """Return the mapped regions of a process; none when it is gone."""
    found = []
    for line in _lines(Path(f"/proc/{pid}/maps")):
        span, _access, offset, _device, _inode, *path = line.split(maxsplit=5)
        start, _, end = span.partition("-")
        where = int(start, 16), int(end, 16)
        found.append(MappedRegion(*where, path[0] if path else "", int(offset, 16)))
    return found


def program_counters(pid: int) -> dict[int, int]:
    """Return the program counter of each thread of a stopped process that is in no system call."""
    counters = {}
    for task in _tasks(pid):
        for line in _lines(task / "syscall"):
            fields = line.split()
            if fields[0] == "-1" and len(fields) == 3:
                counters[int(task.name)] = int(fields[2], 16)
    return counters


def thread_ids(pid: int) -> list[int]:
    """Return the ids of a process's threads; none when it is gone."""
    return [int(task.name) for task in _tasks(pid)]


def spread(threads: Sequence[int], cores: Sequence[int]) -> set[int]:
    """Give each thread of a stopped process one CPU, in turn.

    Threads that wake up together may all be put on the CPU of the thread that woke them. Two that
    meet at barriers then take milliseconds for microseconds until the scheduler moves one.

    Returns:
        CPUs that a thread might have run on and that are not among `cores`.
    """
    foreign: set[int] = set()
    for index, thread in enumerate(sorted(threads)):
        foreign |= cores_of(thread) - set(cores)
        others = cores[1:] or cores  # the first is left to the main thread
        set_cores(thread, [others[(index - 1) % len(others)] if index else cores[0]])
    return foreign


def cores_of(thread: int) -> set[int]:
    """Return the CPUs that a thread may run on; none when it has ended."""
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:
        return set()


def set_cores(thread: int, cores: Sequence[int]) -> None:
    """Set the CPUs that a thread may run on; do nothing where it has ended."""
    try:
        os.sched_setaffinity(thread, cores)
    except ProcessLookupError:
        return


def _tasks(pid: int) -> list[Path]:
    folder = Path(f"/proc/{pid}/task")
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []

"""Reading another process's memory, and where its threads are: what a stopped worker shows."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import NamedTuple


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class UnreadableError(OSError):
    """The other process has nothing at that address."""


def read_memory(pid: int, address: int, target: memoryview) -> bool:
    """Fill `target` from another process's memory (process_vm_readv).

    Returns:
        False where this system does not let us.

    Raises:
        UnreadableError: there is no such memory, or no such process.
    """
    library = ctypes.CDLL(None, use_errno=True)
    done = 0
    while done < target.nbytes:
        buffer = (ctypes.c_char * (target.nbytes - done)).from_buffer(target[done:])
        local = _Vector(ctypes.addressof(buffer), len(buffer))
        remote = _Vector(address + done, len(buffer))
        library.process_vm_readv.restype = ctypes.c_ssize_t
        count = library.process_vm_readv(
            pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, ctypes.c_ulong(0)
        )
        if count < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
            return False
        if count <= 0:
            raise UnreadableError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        done += count
    return True


class Mapping(NamedTuple):
    """One mapped region of a process."""

    start: int
    end: int
    path: str
    """Empty for memory without a file."""
    executable: bool


def mappings(pid: int) -> list[Mapping]:
    """The mapped regions of a process; none when it is gone."""
    found = []
    for line in _lines(Path(f"/proc/{pid}/maps")):
        span, access, _offset, _device, _inode, *path = line.split(maxsplit=5)
        start, _, end = span.partition("-")
        found.append(Mapping(int(start, 16), int(end, 16), path[0] if path else "", "x" in access))
    return found


def program_counters(pid: int) -> list[int]:
    """Where the threads of a stopped process are in user code, those outside system calls."""
    counters = []
    for task in _tasks(pid):
        for line in _lines(task / "syscall"):
            fields = line.split()
            if fields[0] == "-1" and len(fields) == 3:
                counters.append(int(fields[2], 16))
    return counters


def thread_ids(pid: int) -> list[int]:
    """The threads of a process; none when it is gone."""
    return [int(task.name) for task in _tasks(pid)]


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

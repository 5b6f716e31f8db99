"""Processes that left a worker's group: found, signalled, ended.

What a worker starts is its descendant, or, when those between have ended, a child of this
process, which is a subreaper. The latter show where they come from: by the mark in their
environment when they were started as programs, by the command line of the fork server when they
were forked.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Container, Iterable, Iterator

from kernelwright.sandbox.memory import thread_ids

# Set in every worker, and so in what it starts.
MARK = "KERNELWRIGHT_WORKER"
FORKSERVER_FILE = b"forkserver.py"
# Fields of /proc/PID/stat, counted from behind the name: state; session; start in ticks since
# boot; user and system time with those of ended children.
STATE, SESSION, START = 0, 3, 19
CPU = slice(11, 15)
LIVE: set[int] = set()
"""Fork servers and workers of this process that were not ended yet."""
LAUNCH = threading.Lock()
"""Lock held from the fork of a fork server or worker until it is in LIVE."""


def escaped_processes(worker: int, mark: str) -> list[int]:
    """Return running processes that a worker started and that are not of its session."""
    born = stat_fields(worker)
    with LAUNCH:
        unknown = [pid for pid in _children(os.getpid()) if pid not in LIVE]
    orphans = [pid for pid in unknown if pid != worker and _comes_from(pid, mark, born)]
    return [pid for pid in orphans if _is_outside(pid, worker)] + escaped_below(
        [worker, *orphans], worker
    )


def escaped_below(tops: Iterable[int], worker: int, others: Container[int] = ()) -> list[int]:
    """Return running descendants of some processes that are not of a worker's session.

    Args:
        others: processes that are not the worker's doing.
    """
    found = [pid for top in tops for pid in descendants(top)]
    return [pid for pid in found if pid not in others and _is_outside(pid, worker)]


def _comes_from(pid: int, mark: str, born: list[str] | None) -> bool:
    if f"{MARK}={mark}".encode() in _read(pid, "environ").split(b"\0"):
        return True
    own = stat_fields(pid)
    if own is None or born is None or FORKSERVER_FILE not in _read(pid, "cmdline"):
        return False
    is_anothers = int(own[SESSION]) in LIVE
    return not is_anothers and int(own[START]) >= int(born[START])


def _is_outside(pid: int, worker: int) -> bool:
    fields = stat_fields(pid)
    return fields is not None and fields[STATE] != "Z" and int(fields[SESSION]) != worker


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of all processes below one."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


def _children(pid: int) -> list[int]:
    lists = [_read(pid, f"task/{thread}/children") for thread in thread_ids(pid)]
    return [int(child) for text in lists for child in text.split()]


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name; None when the process is gone."""
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split() or None


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of a process and its ended children; None when it is gone."""
    fields = stat_fields(pid)
    return sum(map(int, fields[CPU])) / os.sysconf("SC_CLK_TCK") if fields else None


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end(pid: int) -> None:
    """Kill a process and wait for it where it is a child of this one."""
    send(pid, signal.SIGKILL)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED)
    except ChildProcessError:
        return

"""The `Sandbox` seam: start a worker under limits, talk to it over bytes, kill all it started."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kernelwright.schema import Record, SandboxInfo


class WorkerSpec(Record):
    """A worker to start, and its limits."""

    argv: tuple[str, ...]
    """Arguments after the interpreter; `{fd}` stands for the channel's descriptor, `{shared}` for
    that of the shared memory."""
    env: Mapping[str, str]
    """Variables added to the sandbox's own clean environment; `{folder}` stands for the worker's
    private folder, `{path}` for the PATH it would get."""
    memory_bytes: int
    files: Mapping[str, str]
    """Read-only host folders to copy into the worker's private folder: name there -> host path."""
    cores: tuple[int, ...] = ()
    """CPUs to pin the worker to; those of this process when empty."""
    shared_bytes: int = 0
    """Size of the memory that host and worker share; it takes room only where it is written."""
    readable: tuple[str, ...] = ()
    """More paths of the host that the worker may read, at the same place."""
    tenant: str = ""
    """Workers of one tenant may be in one container, each with files of its own; others never are.
    Without one a worker is alone."""
    wrapper: tuple[str, ...] = ()
    """A program that starts the interpreter, and its arguments; `{folder}` as in `env`. For places
    that see the host's programs, and not for warm workers."""
    warm: bool = False
    """`argv[0]` is a file; an interpreter that has imported torch already may run it. Not for an
    environment that is read when a program starts, as LD_PRELOAD is."""


class UnstoppableError(Exception):
    """Failure to stop a worker; only `kill` helps."""


class WorkerProcess(Protocol):
    """A started worker. All methods may be called in any state, more than once."""

    @property
    def channel(self) -> socket.socket:
        """A stream socket to the worker."""

    @property
    def folder(self) -> Path:
        """The worker's private folder as the host sees it; gone after `kill`."""

    @property
    def inside(self) -> str:
        """The same folder as the worker sees it."""

    @property
    def pid(self) -> int:
        """The worker's process id on the host."""

    @property
    def shared(self) -> int:
        """Descriptor of the shared memory, for `os.pread` and `os.pwrite`; its size is fixed."""

    def freeze(self) -> float:
        """Stop the worker and what it started.

        Returns:
            The `time.perf_counter()` at which every thread of the worker stood still.

        Raises:
            UnstoppableError: one did not.
        """

    @property
    def foreign_cores(self) -> set[int]:
        """CPUs that it could run on but was not given, seen when it was stopped."""

    def thaw(self) -> None:
        """Resume the worker and what it started; until `release` each thread keeps to one CPU."""

    def release(self) -> None:
        """Unpin the threads: each may run on any of the worker's CPUs."""

    def kill(self) -> None:
        """End the worker and everything it started, and remove its folder."""

    def exit_status(self, timeout_s: float) -> int | None:
        """Return the exit code (negative: signal), or None if it still runs after `timeout_s`.

        Raises:
            InfrastructureError: it was not the worker that ended, but what it ran in.
        """

    def cpu_seconds(self) -> float | None:
        """Return the CPU time that the worker has used so far; None where it can't be told."""

    def escaped(self) -> list[int]:
        """Return processes that the worker started and that left its group, as far as found.

        `freeze`, `thaw` and `kill` reach them one by one.
        """

    def stderr(self) -> str:
        """Return the last 200,000 characters of what it printed; empty after `kill`."""


class Sandbox(Protocol):
    """A starter and keeper of workers that run untrusted code."""

    @property
    def info(self) -> SandboxInfo:
        """The limits that this sandbox holds and lacks; stored with every evaluation."""

    def start(self, spec: WorkerSpec) -> WorkerProcess:
        """Start a worker. It dies with this sandbox, so the caller keeps the sandbox, too.

        Raises:
            InfrastructureError, PrerequisiteError: it could not be; never a candidate's doing.
        """

    def close(self) -> None:
        """Kill every worker that is still there."""


def sandbox_python(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return interpreter arguments that keep the caller's environment and working folder out.

    They switch bytecode files off, too: these are told from their source by size and second only,
    and a worker may be given one file after another under one name.
    """
    return ("-I", "-B", "-X", "faulthandler", *arguments)

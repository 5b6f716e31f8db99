"""One process at a time works on a run, and others can see whether one does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kernelwright.errors import UsageError
from kernelwright.sandbox.leases import is_locked, try_lock
from kernelwright.schema import Run


@contextmanager
def alone(run_id: str) -> Iterator[None]:
    """Be the only process that works on a run. Raises UsageError where there is another one."""
    with try_lock(_name(run_id)) as has_lock:
        if not has_lock:
            raise UsageError(
                f"another process is working on run {run_id!r}", hint="wait for it, or stop it"
            )
        yield


def has_died(run: Run) -> bool:
    """Return whether a run was left as running by a process of this machine that is gone."""
    return run.status == "running" and not is_locked(_name(run.id))


def _name(run_id: str) -> str:
    return f"run-{run_id}"

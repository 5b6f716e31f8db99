"""The fault of a worker that exits, hangs or sends nonsense.

It carries the `Status` of the verdict if the worker held a candidate. For a reference the caller
turns it into an InvalidReferenceError.
"""

from __future__ import annotations

from kernelwright.schema import Status


class WorkerFault(Exception):
    """A worker's failure to do what it was asked."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def nonsense(what: str) -> WorkerFault:
    """Return the fault of a worker that sent something other than it must."""
    return WorkerFault(Status.RUNTIME_ERROR, f"the worker sent {what}")

"""The faults of a candidate: each ends its evaluation with a status and a reason."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.schema import Flag, Status, WorkloadResult, WrongValues


class CandidateFault(Exception):
    """The end of a candidate's evaluation: a `WorkerFault`, or `Wrong`."""

    def __init__(
        self,
        status: Status,
        reason: str,
        result: WorkloadResult | None = None,
        flags: Sequence[Flag] = (),
        wrong: WrongValues | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.result = result
        """The findings on the workload before."""
        self.flags = tuple(flags)
        self.wrong = wrong
        """The places of wrong values, where that is known and may be told."""


class WorkerFault(CandidateFault):
    """The fault of a worker that exits, hangs or sends nonsense.

    Where the worker holds a reference, the caller turns it into an InvalidReferenceError.
    """


class Wrong(CandidateFault):
    """The finding that a candidate is wrong, or refused by an integrity rule."""


def nonsense(what: str) -> WorkerFault:
    """Return the fault of a worker that sent something other than it must."""
    return WorkerFault(Status.RUNTIME_ERROR, f"the worker sent {what}")

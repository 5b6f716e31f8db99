"""The records of the store beside the nouns of `schema.py`: answers, progress, lost calls."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from kernelwright.delivery.scope import Scope
from kernelwright.schema import Candidate, Evaluation, OrdinaryRun, Record, Usage

TaskStatus = Literal["improved", "no_improvement", "not_decided", "unusable", "error"]
"""`not_decided`: the machine was too busy for the final times to decide. `unusable`: the task is at
fault, mostly its reference. `error`: the infrastructure is at fault."""


class TaskResult(Record):
    """The final answer for one task of a run; `bench` continues from these."""

    task_id: str
    status: TaskStatus
    candidate_hash: str | None = None
    """The best candidate; None when nothing was accepted."""
    evaluation: Evaluation | None = None
    """The strict re-measurement of the delivered file; in older records of the candidate itself.
    Where no candidate is faster, a shorter one of the best of them, without a guard."""
    delivered: Candidate | None = None
    """The candidate as it is delivered, behind the guard of its scope; None in older records."""
    scope: Scope | None = None
    """The calls that the proof covers."""
    ordinary: OrdinaryRun | None = None
    """The candidate in ordinary interpreters, after a win; None where it was not run in them."""
    error: str | None = None
    """Message of the error that ended an unusable task or one with an infrastructure error."""

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.has_failed != (self.error is not None):
            raise ValueError("a result has status 'error' or 'unusable' exactly with an error")
        if self.status == "improved" and not (self.evaluation and self.evaluation.is_win):
            raise ValueError("an improved task needs an evaluation that is a win")
        if self.status == "not_decided" and not (self.evaluation and self.evaluation.is_undecided):
            raise ValueError("an undecided task needs an evaluation that was disturbed")
        if self.status == "improved" and self.is_wrong_elsewhere:
            raise ValueError("an improved task has a file that is right in ordinary interpreters")
        judged = self.delivered.hash if self.delivered else self.candidate_hash
        if self.evaluation and self.evaluation.candidate_hash != judged:
            raise ValueError("the evaluation is of another candidate")
        return self

    @property
    def has_failed(self) -> bool:
        """Whether the task ended in an error, so that nothing could be measured."""
        return self.status in ("unusable", "error")

    @property
    def is_wrong_elsewhere(self) -> bool:
        """Whether the candidate was right before the judge and wrong in an ordinary interpreter."""
        return self.ordinary is not None and self.ordinary.right is False

    @property
    def is_open(self) -> bool:
        """Whether another run may give another answer: the task failed, or was disturbed."""
        disturbed = self.evaluation is not None and self.evaluation.was_disturbed
        return self.has_failed or disturbed

    @property
    def is_undecided(self) -> bool:
        """Whether the machine was too busy for the final times to decide."""
        return self.is_open and not self.has_failed

    @property
    def speedup(self) -> float | None:
        """Speedup of the accepted candidate over eager; None where it is unknown or disturbed."""
        if self.evaluation is None or not self.evaluation.accepted:
            return None
        if self.is_open or self.is_wrong_elsewhere:
            return None
        gain = self.evaluation.gain
        return None if gain is None else gain.speedup.median


class Outcome(NamedTuple):
    """The outcome of one task of a run."""

    task_id: str
    status: TaskStatus | None
    """None while the task has no answer."""
    speedup: float | None
    """Speedup over eager of the best candidate; None where it has none."""


class Event(Record):
    """One progress line of a run."""

    number: int
    """Position in the run, from 0."""
    at: float
    """Seconds since the epoch."""
    text: str


class Lost(NamedTuple):
    """A request that was sent and never answered."""

    attempt: int
    """Index of the attempt it was made for."""
    usage: Usage
    """Upper bound on what the request has used."""

"""What the store keeps beside the nouns of `schema.py`: answers per task, progress, lost calls."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from kernelwright.schema import Evaluation, Record, Usage

TaskStatus = Literal["improved", "no_improvement", "error"]


class TaskResult(Record):
    """The final answer for one task of a run; `bench` continues from these."""

    task_id: str
    status: TaskStatus
    candidate_hash: str | None = None
    """The best candidate; None when nothing was accepted."""
    evaluation: Evaluation | None = None
    """The strict re-measurement of that candidate."""
    error: str | None = None
    """The infrastructure error that ended the task."""

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if (self.status == "error") != (self.error is not None):
            raise ValueError("a result has status 'error' exactly when it has an error")
        if self.status == "improved" and not (self.evaluation and self.evaluation.is_win):
            raise ValueError("an improved task needs an evaluation that is a win")
        if self.evaluation and self.evaluation.candidate_hash != self.candidate_hash:
            raise ValueError("the evaluation is of another candidate")
        return self

    @property
    def is_open(self) -> bool:
        """Whether trying again may give another answer: it failed, or was disturbed."""
        disturbed = self.evaluation is not None and self.evaluation.was_disturbed
        return self.status == "error" or disturbed

    @property
    def speedup(self) -> float | None:
        """Speedup over eager of the accepted candidate; None where it can't be told."""
        if self.evaluation is None or not self.evaluation.accepted or self.is_open:
            return None
        eager = self.evaluation.speedup.get("eager")
        return None if eager is None else eager.median


class Event(Record):
    """One progress line of a run."""

    number: int
    """Position in the run, from 0."""
    at: float
    """Seconds since the epoch."""
    text: str


class Lost(NamedTuple):
    """A request that was sent and whose answer never came."""

    attempt: int
    """Index of the attempt it was made for."""
    usage: Usage
    """The most that it may have used."""

"""The seam between what wants verdicts and where candidates are run."""

from __future__ import annotations

from typing import Protocol

from kernelwright.schema import Evaluation, EvaluationJob


class Executor(Protocol):
    """A place that evaluates candidates, here or elsewhere."""

    def evaluate(self, job: EvaluationJob) -> Evaluation:
        """Return the verdict of a job.

        Raises:
            InvalidReferenceError: no candidate can be judged against the task's reference.
            PrerequisiteError: the machine that is wanted, or the candidate's backend, is not there.
            InfrastructureError: a part of the system failed; nothing is known about the candidate.
        """

"""The file that is delivered for a candidate: the candidate behind the guard of its scope."""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.delivery.scope import Scope
from kernelwright.delivery.splice import splice
from kernelwright.schema import Candidate, Evaluation
from kernelwright.tasks.constants import replace_constants
from kernelwright.verifier.judge import Judge


class Delivery(NamedTuple):
    """A candidate as it would be delivered."""

    original: Candidate
    candidate: Candidate
    """The guarded file."""
    scope: Scope


class Measured(NamedTuple):
    """The strict verdict on a delivery."""

    delivery: Delivery
    evaluation: Evaluation


def deliver(judge: Judge, candidate: Candidate) -> Delivery:
    """Return a candidate behind the guard of its scope.

    Raises:
        NotDeliverableError: no guard can stand in front of it; the message says why.
        InfrastructureError: the reference failed.
    """
    task = judge.reference.task
    scope = judge.scope(candidate)
    reference = replace_constants(task.source, task.overrides)
    title = f"{task.id}, made faster: {candidate.origin.description or candidate.backend}"
    source = splice(reference, candidate.source, scope, title.replace("\n", " "))
    guarded = candidate.model_copy(update={"source": source, "parents": (candidate.hash,)})
    return Delivery(candidate, guarded, scope)

"""Conversion of nouns to rows and back: the whole noun as JSON, and the columns for queries."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from kernelwright.errors import StoreError
from kernelwright.schema import Attempt, Evaluation, Lesson, ModelCall, Record, Run
from kernelwright.store.results import TaskResult

R = TypeVar("R", bound=Record)
Row = dict[str, Any]


def encode(noun: Record) -> str:
    """Return JSON that `decode` reads back as the same noun, infinities included (`Infinity`)."""
    return json.dumps(noun.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def decode(kind: type[R], data: str) -> R:
    """Return the noun in `data`.

    Raises:
        StoreError: the row was damaged, or written by another program.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise StoreError(
            f"a stored {kind.__name__} cannot be read: {error.errors()[0]['msg']}",
            hint="the row was changed outside kernelwright; restore a copy of the database",
        ) from error


def run_row(run: Run) -> Row:
    """Return the row of table `runs`."""
    columns = {"id": run.id, "command": run.command, "status": run.status, "started": run.started}
    return {**columns, "data": encode(run)}


def attempt_row(attempt: Attempt) -> Row:
    """Return the row of table `attempts`; status and speedup are null without an evaluation."""
    evaluation = attempt.evaluation
    return {
        "run_id": attempt.run_id,
        "task_id": attempt.task_id,
        "position": attempt.index,
        "candidate_hash": attempt.candidate.hash if attempt.candidate else None,
        "status": evaluation.status.value if evaluation else None,
        "accepted": evaluation.accepted if evaluation else None,
        "speedup_eager": _eager(evaluation),
        "started": attempt.span.started,
        "data": encode(attempt),
    }


def call_row(call: ModelCall) -> Row:
    """Return the row of table `model_calls`, without its key and its messages."""
    columns = {"role": call.role, "model": call.model, "cost_usd": call.usage.cost_usd}
    return {**columns, "data": encode(call.model_copy(update={"messages": ()}))}


def lesson_row(lesson: Lesson) -> Row:
    """Return the row of table `lessons`."""
    names = ("run_id", "task_id", "attempt", "category", "target")
    return {**{name: getattr(lesson, name) for name in names}, "data": encode(lesson)}


def evaluation_row(key: str, evaluation: Evaluation) -> Row:
    """Return the row of table `evaluations`, the evaluation cache."""
    return {
        "key": key,
        "task_hash": evaluation.task_hash,
        "candidate_hash": evaluation.candidate_hash,
        "status": evaluation.status.value,
        "data": encode(evaluation),
    }


def result_row(run_id: str, result: TaskResult) -> Row:
    """Return the row of table `task_results`."""
    return {
        "run_id": run_id,
        "task_id": result.task_id,
        "status": result.status,
        "candidate_hash": result.candidate_hash,
        "speedup_eager": _eager(result.evaluation),
        "data": encode(result),
    }


def _eager(evaluation: Evaluation | None) -> float | None:
    gain = evaluation.gain if evaluation else None
    return None if gain is None else gain.speedup.median

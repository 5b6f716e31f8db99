"""The verdict as one JSON document: what `verify --json` prints and result.json contains."""

from __future__ import annotations

import json
from typing import Any

from kernelwright.schema import SCHEMA_VERSION, Candidate, Evaluation, Record, Task


def verdict_document(task: Task, candidate: Candidate, evaluation: Evaluation) -> dict[str, Any]:
    """Everything that was found, ready for `json.dumps`; what is unknown or infinite is null.

    Raises:
        ValueError: the evaluation is of another task or candidate.
    """
    if (evaluation.task_hash, evaluation.candidate_hash) != (task.hash, candidate.hash):
        raise ValueError("the evaluation is of another task or candidate")
    found = plain(evaluation)
    by_name = {result["workload"]: result for result in found["workloads"]}
    timing = {name: result["timing"] for name, result in by_name.items() if result["timing"]}
    return {
        "schema_version": SCHEMA_VERSION,
        "task": {"id": task.id, "hash": task.hash},
        "candidate": {"hash": candidate.hash, "backend": candidate.backend},
        "status": found["status"],
        "accepted": evaluation.accepted,
        "reason": found["reason"],
        "flags": found["flags"],
        "correctness": {name: result["correctness"] for name, result in by_name.items()},
        "timing": timing or None,
        "speedup": found["speedup"] or None,
        "evidence": found["evidence"],
        "environment": found["environment"],
        "sandbox": found["sandbox"],
        "level": found["level"],
        "tolerance": found["tolerance"],
    }


def plain(noun: Record) -> dict[str, Any]:
    """A noun as plain JSON data; infinities and NaN become null, which every JSON reader takes."""
    data: dict[str, Any] = json.loads(noun.model_dump_json())
    return data

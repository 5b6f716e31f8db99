"""A verdict in words, and as the JSON document that `verify --json` and result.json contain."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kernelwright.report.authorship import authorship
from kernelwright.report.format import NOT_DECIDED, sentence
from kernelwright.schema import (
    BUSY_MACHINE,
    SCHEMA_VERSION,
    Candidate,
    Evaluation,
    Record,
    Status,
    Task,
)
from kernelwright.tasks.kinds.module import MODULE
from kernelwright.verifier.integrity.catalog import RULES


def verdict_document(task: Task, candidate: Candidate, evaluation: Evaluation) -> dict[str, Any]:
    """Return a verdict, ready for `json.dumps`; unknown and infinite values are null.

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
        "wrong": found["wrong"],
        "explanation": explanation(evaluation),
        "flags": found["flags"],
        "correctness": {name: result["correctness"] for name, result in by_name.items()},
        "timing": timing or None,
        "speedup": found["speedup"] or None,
        "compiled": found["compiled"],
        "what_it_is": authorship(evaluation).words,
        "evidence": found["evidence"],
        "uses": found["uses"],
        "scope": found["scope"],
        "environment": found["environment"],
        "sandbox": found["sandbox"],
        "level": found["level"],
        "tolerance": found["tolerance"],
        "policy": found["policy"],
    }


ADVICE: Mapping[Status, str] = {
    Status.COMPILE_ERROR: "build it by itself with the same compiler to see all of its messages",
    Status.RUNTIME_ERROR: (
        f"import the file and call {MODULE.candidate} on {MODULE.inputs}() to see the error"
    ),
    Status.INCORRECT_SHAPE: "return what the reference returns: the same nest of tensors",
    Status.INCORRECT_DTYPE: "return tensors of the reference's dtype, on its device",
    Status.INCORRECT_NUMERICAL: (
        "the error that is allowed follows from that of the reference's own arithmetic; --json has "
        "both as `correctness`. Inputs that are not the reference's own (scaled, constant, zero) "
        f"are derived from those of {MODULE.inputs}()"
    ),
    Status.TIMEOUT: "give the task's task.toml longer [limits], or find what does not end",
    Status.OUT_OF_MEMORY: "it gets the reference's limit; see [limits] in the task's task.toml",
    Status.REWARD_HACK: "the evidence of each flag says what was found, and where",
    Status.INVALID_REFERENCE: "`kernelwright tasks audit` says what is wrong with the task",
}


_NOT_PYTHON = re.compile(r"(SyntaxError|IndentationError|TabError)\b")


def explanation(evaluation: Evaluation) -> list[str]:
    """Return why a candidate was refused, or nothing was decided, and what to do about it.

    Empty where it was accepted, and its times decide.
    """
    if evaluation.accepted:
        return [settling(evaluation)] if evaluation.was_disturbed else []
    rules = [RULES[flag.rule] for flag in evaluation.flags if flag.severity == "refuse"]
    return [*(f"{rule.id}: {rule.reason}" for rule in rules), _advice(evaluation)]


def _advice(evaluation: Evaluation) -> str:
    if _NOT_PYTHON.match(evaluation.reason):
        return "Python cannot read it; the line is named above"
    return ADVICE[evaluation.status]


def settling(evaluation: Evaluation) -> str:
    """Return why a busy machine left a verdict open and what settles it; empty for any other."""
    if not evaluation.was_disturbed:
        return ""
    found = next(flag.evidence for flag in evaluation.flags if flag.rule == BUSY_MACHINE)
    return (
        f"{sentence(found)} So its times decide nothing. Measuring it again on a quiet machine "
        "settles it: `kernelwright doctor` says when this one is; then `kernelwright runs resume` "
        "after optimize, or the same command after bench and verify, proves it again."
    )


def plain(noun: Record) -> dict[str, Any]:
    """Return a noun as JSON data; infinities and NaN become null, which every JSON reader takes."""
    data: dict[str, Any] = json.loads(noun.model_dump_json())
    return data


def evaluation_words(evaluation: Evaluation) -> str:
    """Return a verdict in a few words."""
    if not evaluation.accepted:
        first, _, _ = evaluation.reason.partition("\n")
        return f"{evaluation.status.value}: {first[:120]}"
    words = [
        f"{s.median:.2f}x {name} ({s.ci95[0]:.2f} to {s.ci95[1]:.2f})"
        for name, s in evaluation.speedup.items()
    ]
    if evaluation.compiled_words:
        words.append(evaluation.compiled_words)
    if evaluation.was_disturbed:
        words.append(NOT_DECIDED)
    return ", ".join(words) or "values are right, no time taken"


def evidence_words(evaluation: Evaluation) -> list[str]:
    """Return lines on the evidence.

    For a timed candidate they say how near it is to the measured roof, and which lines are hot; for
    one that was not timed they are all compile-time facts.
    """
    found = evaluation.evidence
    if found is None or not evaluation.speedup:
        return list(found.facts) if found else []
    words = []
    if found.roof_fraction is not None:
        bound = f", {found.bound} bound" if found.bound else ""
        words.append(f"reaches {found.roof_fraction:.0%} of the measured roof{bound}")
    if found.sol_score is not None:
        words.append(f"speed-of-light score {found.sol_score:.2f} (0.5: eager's time)")
    return [*([f"{'; '.join(words)} (estimates)"] if words else []), *found.hot_lines]


def found_words(evaluation: Evaluation) -> list[str]:
    """Return lines on where values are wrong, or where the time goes."""
    where = evaluation.wrong.words if evaluation.wrong else ()
    return [*where, *evidence_words(evaluation)]

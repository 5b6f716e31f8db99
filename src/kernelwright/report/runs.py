"""Runs in words: how one stands, what came of its tasks, and how it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernelwright.report import format as fmt
from kernelwright.schema import Run
from kernelwright.store.results import Outcome, TaskStatus

WORDS: dict[TaskStatus, str] = {
    "improved": "improved",
    "no_improvement": "no improvement",
    "not_decided": fmt.NOT_DECIDED,
    "unusable": "unusable task",
    "error": "infrastructure error",
}


def how_to_continue(run: Run) -> str:
    """Return the command that continues a run."""
    if run.command == "optimize":
        return f"`kernelwright runs resume {run.id}`"
    return "the same command again" if run.command == "bench" else "`kernelwright demo` anew"


def state(run: Run, died: bool) -> str:
    """Return how a run stands, with the reason of a failure, or how to continue it.

    Args:
        died: its process is gone, and left it as running.
    """
    word = "stopped" if died else run.status
    if word in ("stopped", "interrupted"):
        return f"{word}; continue with {how_to_continue(run)}"
    return f"failed: {run.error}" if run.error else word


def came_of(outcomes: Sequence[Outcome]) -> str:
    """Return what came of a run's tasks; empty where none has an answer yet."""
    answered = [one for one in outcomes if one.status is not None]
    if len(outcomes) == 1 and answered:
        return _outcome(answered[0])
    wins = [one for one in answered if one.status == "improved"]
    best = max((one.speedup for one in wins if one.speedup is not None), default=None)
    fastest = "" if best is None else f", up to {fmt.ratio(best)} eager"
    return f"{len(wins)} of {len(outcomes)} improved{fastest}" if answered else ""


def _outcome(one: Outcome) -> str:
    assert one.status is not None
    if one.status != "improved" or one.speedup is None:
        return WORDS[one.status]
    return f"{WORDS[one.status]}, {fmt.ratio(one.speedup)} eager"


def run_line(run: Run, outcomes: Sequence[Outcome], died: bool) -> str:
    """Return how a run stands and what came of it, in one line."""
    stands = "" if run.status == "done" else state(run, died)
    return "; ".join(filter(None, (came_of(outcomes), stands))) or run.status


def run_document(run: Run, outcomes: Sequence[Outcome], died: bool) -> dict[str, Any]:
    """Return a run with its outcomes as plain data."""
    return {
        **run.model_dump(mode="json"),
        "stopped": died,
        "outcomes": [
            {**one._asdict(), "speedup": one.speedup if one.status == "improved" else None}
            for one in outcomes
        ],
    }

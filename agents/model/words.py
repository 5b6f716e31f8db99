"""Verdicts in words that a model may be told: nothing of a hidden workload."""

from __future__ import annotations

import textwrap

from kernelwright.prompts.describe import shown_workloads
from kernelwright.schema import Evaluation, Task

ERROR_CHARACTERS = 1500
NOT_SHOWN = "it fails on a case that is not shown; be right for any sizes and values"


def shown_reason(task: Task, device: str, evaluation: Evaluation) -> str:
    """Return the verdict's reason, or NOT_SHOWN if it speaks of a hidden workload."""
    if evaluation.wrong is not None:  # which is never told of a hidden one
        return evaluation.reason[:ERROR_CHARACTERS]
    visible = {workload.name for workload in shown_workloads(task, device)}
    hidden = {w.name for w in task.workloads if w.role == "hidden"}
    named = {name for name in visible | hidden if repr(name) in evaluation.reason}
    # Workloads run in order: where all visible ones have results, a hidden one failed.
    unnamed = not named and visible <= {result.workload for result in evaluation.workloads}
    if hidden and (unnamed or named & hidden):
        return NOT_SHOWN
    return evaluation.reason[:ERROR_CHARACTERS]


def one_line(text: str, characters: int) -> str:
    """Return `text` without line breaks, shortened."""
    return textwrap.shorten(text, characters, placeholder=" [...]")


def beginning(text: str, characters: int) -> str:
    """Return a text with at most so many characters of it, and the number of the others."""
    left = len(text) - characters
    return text if left <= 0 else f"{text[:characters]}\n[... {left:,} more characters]"

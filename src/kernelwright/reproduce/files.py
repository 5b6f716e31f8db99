"""The files beside an optimized one: its reference, and `reproduce.py`, which compares the two."""

from __future__ import annotations

import functools
import re

from kernelwright.reproduce.standalone import standalone
from kernelwright.schema import Candidate, Task, Workload
from kernelwright.tasks.constants import replace_constants
from kernelwright.tasks.loader import effective_source

SCRIPT = "reproduce.py"


def candidate_file_name(task_id: str) -> str:
    """Return a task's file name: `36_RMSNorm_optimized.py` for `kernelbench/36_RMSNorm_`."""
    return f"{_stem(task_id)}_optimized.py"


def reference_file_name(task_id: str) -> str:
    """Return the name of the reference beside that file: `36_RMSNorm_reference.py`."""
    return f"{_stem(task_id)}_reference.py"


def reproduction(task: Task, candidate: Candidate, kind: str, reported: str = "") -> dict[str, str]:
    """Return the files that belong beside an optimized one, by name.

    They are for the first workload that was timed.

    Args:
        kind: kind of the device, `cpu` or `cuda`.
        reported: a sentence on what was measured before, to be printed below the table.
    """
    timed = [w for w in task.workloads if w.role == "bench" and w.target in (None, kind)]
    constants = {
        "REFERENCE": reference_file_name(task.id),
        "OPTIMIZED": candidate_file_name(task.id),
        "ENTRY_POINT": candidate.entry_point,
        "DEVICE": kind,
        "TOLERANCE": task.tolerance,
        "SIZES": _sizes(timed),
        "REPORTED": reported,
    }
    return {
        reference_file_name(task.id): effective_source(task, timed[0]),
        SCRIPT: replace_constants(_program(), constants),
    }


@functools.cache
def _program() -> str:
    return standalone("kernelwright.reproduce.script")


def _sizes(timed: list[Workload]) -> str:
    if len(timed) == 1:
        return ""
    return f"inputs of workload {timed[0].name!r}, the first of {len(timed)} that were timed"


def _stem(task_id: str) -> str:
    stem = re.sub(r"\W+", "_", task_id.rpartition("/")[2], flags=re.ASCII).strip("_")
    return stem or "task"

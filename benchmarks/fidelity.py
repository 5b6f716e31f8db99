"""Accuracy of measured ratios: the reference against itself, and known slowdowns.

Five library tasks in sizes from 20 us to 50 ms. The candidate is the reference under another name,
with nothing added, or with a wait in every call of 5% or 10% of eager's time against itself. A
slowdown is seen when the whole interval of the speedup lies below 1.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Candidate, Criteria, Evaluation, Level, Origin, Size, Task
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference

SLOWDOWNS = (0.05, 0.10)
# As in a proof: the uses of what is no faster are not tried.
CRITERIA = Criteria(delivers=True)


class Subject(NamedTuple):
    """A library task with chosen sizes."""

    name: str
    sizes: dict[str, Size]


SUBJECTS = (
    Subject("layernorm", {"ROWS": 64, "COLS": 256}),
    Subject("softmax", {"ROWS": 512, "COLS": 1024}),
    Subject("rmsnorm_residual", {"ROWS": 1024, "COLS": 1024}),
    Subject(
        "matmul_bias_gelu",
        {"TOKENS": 2048, "IN_FEATURES": 1024, "OUT_FEATURES": 2048},
    ),
    Subject("cross_entropy", {"TOKENS": 1024, "CLASSES": 16384}),
)
WAITING = """
import time
class ModelNew(Renamed):
    pass
def forward(self, *inputs, once=Renamed.forward, clock=time.perf_counter_ns):
    end = clock() + {nanoseconds}
    while clock() < end:
        pass
    return once(self, *inputs)
ModelNew.forward = forward
"""


def candidate(task: Task, wait_us: float) -> Candidate:
    """Return the reference as a candidate, with a wait before every call."""
    name = "Renamed" if wait_us else "ModelNew"
    source = re.sub(r"\bModel\b(?!\.)", name, task.source)
    source += WAITING.format(nanoseconds=round(wait_us * 1000)) if wait_us else ""
    return Candidate(source=source, backend="torch", origin=Origin(kind="user"))


def measured(
    machine: Machine,
    cache: Path,
    level: Level,
    same: int,
    slower: int,
    subjects: Collection[str],
) -> Iterator[dict[str, Any]]:
    """Yield the speedups of the named subjects.

    Args:
        same: number of evaluations of the reference against itself.
        slower: number of evaluations for each slowdown.
    """
    for subject in (subject for subject in SUBJECTS if subject.name in subjects):
        task = load_task(subject.name, subject.sizes)
        bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
        task = task.model_copy(update={"workloads": bench})
        with Reference.open(task, machine) as reference:
            judge = Judge(reference, cache, CRITERIA)
            found = [judge.evaluate(candidate(task, 0.0), level) for _ in range(same)]
            yield row(subject, 0.0, found)
            eager_us = statistics.median(times_us(found, "eager"))
            for share in SLOWDOWNS:
                slow = candidate(task, share * eager_us)
                yield row(subject, share, [judge.evaluate(slow, level) for _ in range(slower)])


def times_us(found: list[Evaluation], side: str) -> list[float]:
    """Return the median time of a side in every evaluation, in microseconds."""
    return [evaluation.workloads[0].timing[side].median_us for evaluation in found]


def row(subject: Subject, share: float, found: list[Evaluation]) -> dict[str, Any]:
    """Return the figures of one subject and slowdown."""
    wrong = [e.reason for e in found if not e.accepted]
    assert not wrong, wrong[0]
    print(subject, share, [round(e.speedup["eager"].median, 3) for e in found], flush=True)
    return {
        "task": subject.name,
        "us": round(statistics.median(times_us(found, "eager")), 1),
        "slower_by": share,
        "speedups": [round(e.speedup["eager"].median, 4) for e in found],
        "intervals": [[round(end, 4) for end in e.speedup["eager"].ci95] for e in found],
        "disturbed": sum(e.was_disturbed for e in found),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the error and false alarms of equal sides, and the share of slowdowns seen."""
    same = [row for row in rows if not row["slower_by"]]
    errors = [abs(ratio - 1) for row in same for ratio in row["speedups"]]
    lows = [low for row in same for low, _high in row["intervals"]]
    found: dict[str, Any] = {
        "same_runs": len(errors),
        "same_median_error": round(statistics.median(errors), 4),
        "same_called_faster": round(sum(low > 1 for low in lows) / len(lows), 4),
    }
    for share in SLOWDOWNS:
        ratios = [ratio for row in rows if row["slower_by"] == share for ratio in row["speedups"]]
        found[f"slower_{share:.0%}_median"] = round(statistics.median(ratios), 4)
        highs = [high for row in rows if row["slower_by"] == share for _, high in row["intervals"]]
        found[f"slower_{share:.0%}_seen"] = round(sum(high < 1 for high in highs) / len(highs), 4)
    return found

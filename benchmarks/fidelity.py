"""How far measured ratios can be trusted: the reference against itself, and known slowdowns.

Five library tasks in sizes from 20 us to 50 ms. The candidate is the reference under another name,
with nothing added or with 5% or 10% more of the same work: short calls are made twice every 20th or
10th time, long ones are made again for the first 5% or 10% of the rows. A slowdown is seen when the
whole interval of the speedup lies below 1.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.agents.optimize import secret_reference
from kernelwright.schema import Candidate, Evaluation, Level, Origin, Size, Task
from kernelwright.tasks.loader import load_task
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.workers import Machine

SLOWDOWNS = (0.05, 0.10)


class Subject(NamedTuple):
    """A task in a size of its own."""

    name: str
    sizes: dict[str, Size]
    by_rows: bool
    """More work is more rows, not more calls."""


SUBJECTS = (
    Subject("layernorm", {"ROWS": 128, "COLS": 512}, by_rows=False),
    Subject("softmax", {"ROWS": 512, "COLS": 1024}, by_rows=False),
    Subject("rmsnorm_residual", {"ROWS": 1024, "COLS": 1024}, by_rows=True),
    Subject(
        "matmul_bias_gelu",
        {"TOKENS": 256, "IN_FEATURES": 1024, "OUT_FEATURES": 2048},
        by_rows=True,
    ),
    Subject("cross_entropy", {"TOKENS": 2048, "CLASSES": 16384}, by_rows=True),
)
EXTRA = {
    True: """
class ModelNew(Renamed):
    def forward(self, *inputs):
        rows = max(1, round({share} * inputs[0].shape[0]))
        super().forward(*(value[:rows] for value in inputs))
        return super().forward(*inputs)
""",
    # As little as Python can do besides: a call takes 20 us.
    False: """
import itertools
class ModelNew(Renamed):
    pass
turns = itertools.cycle([*[0] * (round(1 / {share}) - 1), 1])
def forward(self, x, once=Renamed.forward, turns=turns, next=next):
    if next(turns):
        once(self, x)
    return once(self, x)
ModelNew.forward = forward
""",
}


def candidate(task: Task, subject: Subject, share: float) -> Candidate:
    """The reference with `share` more work."""
    name = "Renamed" if share else "ModelNew"
    source = re.sub(r"\bModel\b(?!\.)", name, task.source)
    source += EXTRA[subject.by_rows].format(share=share) if share else ""
    return Candidate(source=source, backend="torch", origin=Origin(kind="user"))


def measured(
    machine: Machine, cache: Path, level: Level, same: int, slower: int
) -> Iterator[dict[str, Any]]:
    """Speedups of every subject: `same` against itself, `slower` for each slowdown."""
    for subject in SUBJECTS:
        task = load_task(subject.name, subject.sizes)
        bench = tuple(w for w in task.workloads if w.role == "bench" and w.target != "cuda")
        task = task.model_copy(update={"workloads": bench})
        with secret_reference(task, machine) as reference:
            judge = Judge(reference, cache)
            for share, count in ((0.0, same), *((share, slower) for share in SLOWDOWNS)):
                text = candidate(task, subject, share)
                found = [judge.evaluate(text, level) for _ in range(count)]
                yield (made := row(subject, share, found))
                print({name: made[name] for name in ("task", "us", "extra_work", "speedups")})


def row(subject: Subject, share: float, found: list[Evaluation]) -> dict[str, Any]:
    """What was found for one subject and share."""
    wrong = [e.reason for e in found if not e.accepted]
    assert not wrong, wrong[0]
    timing = found[0].workloads[0].timing["candidate"]
    return {
        "task": subject.name,
        "us": round(timing.median_us, 1),
        "extra_work": share,
        "speedups": [round(e.speedup["eager"].median, 4) for e in found],
        "intervals": [[round(end, 4) for end in e.speedup["eager"].ci95] for e in found],
        "disturbed": sum(e.was_disturbed for e in found),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures: error and false alarms of equal sides, share of slowdowns seen."""
    same = [row for row in rows if not row["extra_work"]]
    errors = [abs(ratio - 1) for row in same for ratio in row["speedups"]]
    lows = [low for row in same for low, _high in row["intervals"]]
    found: dict[str, Any] = {
        "same_runs": len(errors),
        "same_median_error": round(statistics.median(errors), 4),
        "same_called_faster": round(sum(low > 1 for low in lows) / len(lows), 4),
    }
    for share in SLOWDOWNS:
        seen = [ratio for row in rows if row["extra_work"] == share for ratio in row["speedups"]]
        found[f"slower_{share:.0%}_median"] = round(statistics.median(seen), 4)
        highs = [high for row in rows if row["extra_work"] == share for _, high in row["intervals"]]
        found[f"slower_{share:.0%}_seen"] = round(sum(high < 1 for high in highs) / len(highs), 4)
    return found

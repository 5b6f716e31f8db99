"""Offline on every starter task: speedup over eager and torch.compile, strict, on this CPU.

    python benchmarks/offline_cpu.py [--attempts 8] [--only NAME]...

Each task is optimized from nothing (own store and build cache) and its best candidate is measured
again at level strict. Both baselines are timed in the same rounds as the candidate. A task without
improvement counts as its reference: 1.0 over eager, and the reference's own ratio over
torch.compile. Writes results/offline_cpu.json; quiet machine recommended.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import results_file

from kernelwright.agents.optimize import optimize_task
from kernelwright.batch.run import open_run
from kernelwright.cli.progress import PlainProgress
from kernelwright.config import Settings
from kernelwright.schema import Evaluation, Speedup
from kernelwright.store.results import TaskResult
from kernelwright.tasks.loader import library_ids, load_task

BASELINES = ("eager", "compile")


def main() -> None:
    """Run the suite and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--only", action="append")
    arguments = parser.parse_args()
    names = [n for n in library_ids() if not arguments.only or n in arguments.only]
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(names, arguments.attempts, Path(scratch))
    figures = {"attempts": arguments.attempts, **summary(rows), "tasks": rows}
    print(results_file.write("offline_cpu", figures, os.cpu_count() or 1))
    print({name: figures[name] for name in figures if name != "tasks"})


def run(names: list[str], attempts: int, scratch: Path) -> list[dict[str, Any]]:
    """Optimize each task; return a row for each."""
    settings = Settings(
        attempts=attempts,
        target="cpu",
        store=str(scratch / "store.db"),
        cache_dir=scratch / "cache",
        out=scratch / "out",
    )
    rows = []
    with open_run("bench", settings, {}, progress=PlainProgress()) as opened:
        for name in names:
            task = load_task(name)
            opened.store.add_task(opened.run.id, task)
            started = time.monotonic()
            result = optimize_task(opened.engine, task)
            attempt = next(
                (a for a in opened.store.attempts_of(opened.run.id, task.id)
                 if a.candidate and a.candidate.hash == result.candidate_hash),
                None,
            )  # fmt: skip
            how = attempt.plan if attempt else None
            rows.append(row(result, how, time.monotonic() - started))
    return rows


def row(result: TaskResult, how: str | None, seconds: float) -> dict[str, Any]:
    """Return the stored row of one task."""
    improved, final = result.status == "improved", result.evaluation
    timed = final.workloads[0].timing if final else {}
    return {
        "task": result.task_id,
        "status": result.status,
        "how": how,
        "backend": final.backend if final else None,
        "speedup": {b: speedup(final.speedup.get(b)) for b in BASELINES} if final else {},
        "kept": {b: kept(result, b) for b in BASELINES} if final else {},
        "is_faster_than_compile": improved and is_faster(final, "compile"),
        "median_us": {side: round(t.median_us, 2) for side, t in timed.items()},
        "flags": [flag.model_dump() for flag in final.flags] if final else [],
        "error": result.error,
        "seconds": round(seconds, 1),
    }


def is_faster(final: Evaluation | None, baseline: str) -> bool:
    """Whether the whole interval of the speedup over a baseline lies above 1."""
    against = final.speedup.get(baseline) if final else None
    return against is not None and against.is_faster


def speedup(value: Speedup | None) -> dict[str, Any] | None:
    """Return a speedup with its interval as JSON data."""
    if value is None:
        return None
    return {"median": round(value.median, 4), "ci95": [round(end, 4) for end in value.ci95]}


def kept(result: TaskResult, baseline: str) -> float | None:
    """Return the speedup over a baseline of the kept file: the candidate, or the reference."""
    assert result.evaluation is not None
    if result.status == "improved":
        against = result.evaluation.speedup.get(baseline)
        return against.median if against else None
    timing = result.evaluation.workloads[0].timing
    if baseline == "eager":
        return 1.0
    if baseline not in timing:
        return None
    return timing[baseline].median_us / timing["eager"].median_us


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the geometric means over all tasks, and the number of wins."""
    means = {}
    for baseline in BASELINES:
        values = [r["kept"].get(baseline) or 1.0 for r in rows]
        means[baseline] = round(math.exp(sum(map(math.log, values)) / len(values)), 4)
    wins = [r["speedup"]["eager"] for r in rows if r["status"] == "improved"]
    return {
        "geometric_mean": means,
        "improved": f"{len(wins)} of {len(rows)}",
        "reported_interval_reaches_1": sum(win["ci95"][0] <= 1 for win in wins),
        "faster_than_compile": sum(r["is_faster_than_compile"] for r in rows),
    }


if __name__ == "__main__":
    main()

"""How often `reproduce.py` gives a ratio within the interval that the report predicts for it.

    python benchmarks/reproduce.py [--runs 20] [--attempts 2] [--only NAME]...

Some starter tasks are optimized offline, each win with its run in five ordinary interpreters. Then
the `reproduce.py` beside each result is run as a user runs it, by a plain interpreter outside of
every sandbox (the files are this project's own kernels), in turns over the tasks. Writes
results/reproduce.json; quiet machine recommended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import results_file

from kernelwright.agents.optimize import optimize_task
from kernelwright.batch.run import open_run
from kernelwright.cli.progress import PlainProgress
from kernelwright.config import Settings
from kernelwright.report.result import write_result
from kernelwright.schema import OrdinaryRun, Speedup
from kernelwright.tasks.loader import load_task

TASKS = ("cross_entropy", "elementwise_chain", "rmsnorm_residual", "rope", "topk")


class Proven(NamedTuple):
    """A result folder with a proven file."""

    task: str
    script: Path
    judged: Speedup
    """Speedup over eager before the judge."""
    ordinary: OrdinaryRun
    ratios: list[float]
    """Ratios of later runs of the program."""


def main() -> None:
    """Optimize, run, store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="of reproduce.py, over all tasks")
    parser.add_argument("--attempts", type=int, default=2)
    parser.add_argument("--only", action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found, left_out = proven(arguments.only or TASKS, arguments.attempts, Path(scratch))
        for number in range(arguments.runs if found else 0):
            one = found[number % len(found)]
            one.ratios.append(ratio(one.script))
            print(one.task, round(one.ratios[-1], 3), is_inside(one, one.ratios[-1]), flush=True)
        figures = {**summary(found), "left_out": left_out, "tasks": [row(one) for one in found]}
    print(results_file.write("reproduce", figures, os.cpu_count() or 1))
    print({name: figures[name] for name in figures if name != "tasks"})


def proven(names: list[str], attempts: int, scratch: Path) -> tuple[list[Proven], dict[str, str]]:
    """Optimize each task; return the results with a prediction, and why others have none."""
    settings = Settings(
        attempts=attempts,
        target="cpu",
        store=str(scratch / "store.db"),
        cache_dir=scratch / "cache",
        out=scratch / "out",
    )
    found: list[Proven] = []
    left_out: dict[str, str] = {}
    with open_run("bench", settings, {}, progress=PlainProgress()) as opened:
        for name in names:
            task = load_task(name)
            opened.store.add_task(opened.run.id, task)
            result = optimize_task(opened.engine, task)
            ordinary = result.ordinary
            if result.status != "improved" or ordinary is None or ordinary.speedup is None:
                problem = ordinary.problem if ordinary else None
                left_out[task.id] = problem or result.status
                continue
            assert result.evaluation is not None
            held = opened.store.task_record(opened.run, task.id)
            script = write_result(scratch / "out" / name, opened.run, held).script
            assert script is not None
            judged = result.evaluation.speedup["eager"]
            found.append(Proven(task.id, script, judged, ordinary, []))
    return found, left_out


def ratio(script: Path) -> float:
    """Run a reproduce.py; return its ratio."""
    command = [sys.executable, "-I", str(script), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    return float(json.loads(done.stdout.splitlines()[-1])["speedup"])


def is_inside(one: Proven, value: float) -> bool:
    """Whether a ratio lies in the interval of the report."""
    assert one.ordinary.speedup is not None
    low, high = one.ordinary.speedup.pi95
    return low <= value <= high


def row(one: Proven) -> dict[str, Any]:
    """Return the stored row of one task."""
    assert one.ordinary.speedup is not None
    return {
        "task": one.task,
        "judged": {
            "median": round(one.judged.median, 4),
            "ci95": [round(end, 4) for end in one.judged.ci95],
        },
        "ordinary": {
            "median": round(one.ordinary.speedup.median, 4),
            "pi95": [round(end, 4) for end in one.ordinary.speedup.pi95],
            "speedups": [round(value, 4) for value in one.ordinary.speedups],
        },
        "eager_us": round(one.ordinary.eager_us or 0.0, 1),
        "candidate_us": round(one.ordinary.candidate_us or 0.0, 1),
        "ratios": [round(value, 4) for value in one.ratios],
        "inside": sum(is_inside(one, value) for value in one.ratios),
    }


def summary(found: list[Proven]) -> dict[str, Any]:
    """Return how many runs there were, and how many were inside."""
    return {
        "runs": sum(len(one.ratios) for one in found),
        "inside": sum(is_inside(one, value) for one in found for value in one.ratios),
    }


if __name__ == "__main__":
    main()

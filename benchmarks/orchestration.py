"""The share of orchestration in a run's wall time: all but workers, builds and judge's arithmetic.

    python benchmarks/orchestration.py [--task library/softmax] [--attempts 6]

Runs one offline optimization in this process with clocks around the rest: waiting for workers
(which includes builds, calls and rounds), starting and ending them, and the judge's own numerics
(comparison, input distributions, bootstrap). The remaining time is orchestration; it includes the
imports of this process. Also times `kernelwright --help`. Writes results/orchestration.json.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import os  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import results_file  # noqa: E402

from kernelwright.agents.optimize import optimize_task  # noqa: E402
from kernelwright.batch.run import open_run  # noqa: E402
from kernelwright.cli.progress import PlainProgress  # noqa: E402
from kernelwright.config import Settings  # noqa: E402
from kernelwright.sandbox.linux_worker import LinuxWorker  # noqa: E402
from kernelwright.tasks.loader import load_task  # noqa: E402
from kernelwright.verifier.correctness import check  # noqa: E402
from kernelwright.verifier.reference import live_workload  # noqa: E402
from kernelwright.verifier.timing import summary  # noqa: E402
from kernelwright.verifier.worker.channel import Channel  # noqa: E402

HELP_RUNS = 15
spent: Counter[str] = Counter()


def clocked(owner: Any, name: str, kind: str) -> None:
    """Replace `owner.name` by a function that adds its time to `spent[kind]`."""
    inner: Callable[..., Any] = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[kind] += time.perf_counter() - start

    setattr(owner, name, outer)


def main() -> None:
    """Run an optimization, subtract the clocked times and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="library/softmax")
    parser.add_argument("--attempts", type=int, default=6)
    arguments = parser.parse_args()
    clocked(Channel, "request", "workers")
    clocked(LinuxWorker, "__init__", "workers")
    clocked(LinuxWorker, "kill", "workers")
    clocked(check, "compare", "judge")
    clocked(live_workload, "distribute", "judge")
    clocked(summary, "across_workers", "judge")
    clocked(summary, "bootstrap_median", "judge")
    imports = time.perf_counter() - STARTED
    attempts = run(arguments.task, arguments.attempts)
    wall = time.perf_counter() - STARTED
    ours = wall - sum(spent.values())
    figures = {
        "task": arguments.task,
        "attempts": attempts,
        "wall_s": round(wall, 2),
        "workers_s": round(spent["workers"], 2),
        "judge_s": round(spent["judge"], 2),
        "imports_s": round(imports, 2),
        "orchestration_s": round(ours, 2),
        "orchestration_share": round(ours / wall, 4),
        "help_s": help_seconds(),
    }
    print(results_file.write("orchestration", figures, os.cpu_count() or 1))
    print(figures)


def run(task_id: str, attempts: int) -> int:
    """Run one optimization with its own store and cache; return the number of attempts."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(
            attempts=attempts,
            target="cpu",
            store=f"{scratch}/store.db",
            cache_dir=Path(scratch) / "cache",
        )
        with open_run("optimize", settings, {}, progress=PlainProgress()) as opened:
            task = load_task(task_id)
            opened.store.add_task(opened.run.id, task)
            optimize_task(opened.engine, task)
            return len(opened.store.attempts_of(opened.run.id))


def help_seconds() -> dict[str, float]:
    """Return the wall time of `kernelwright --help` and of a bare interpreter, in seconds."""
    commands = {
        "kernelwright --help": [sys.executable, "-m", "kernelwright", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    return {name: round(_median_seconds(command), 3) for name, command in commands.items()}


def _median_seconds(command: list[str]) -> float:
    times = []
    for _ in range(HELP_RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()

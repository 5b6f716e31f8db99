"""Peak memory of the judge and of its workers, a line for every task.

    python -m benchmarks.memory [--level strict] [--set NAME=VALUE]... [TASK ...]

Each task's reference is judged as a candidate of itself, in an interpreter of its own. Tasks are
library ids or files; by default the library, the tasks of the honest corpus, and the ten large
problems in benchmarks/large. The judge's peak is the most memory of its own (RssAnon and RssFile:
not the inputs that lie in workers' shared memory), a worker's is what the kernel counted (VmHWM),
both looked at every 50 ms. Writes results/memory.json as rows come;
tasks that are not named keep theirs, each with its commit. Exit code 1 where the judge took more
than its budget and 500 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.verdict import measured_on
from kernelwright.errors import InvalidReferenceError
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Candidate, Origin, Task
from kernelwright.tasks.constants import parse_setting
from kernelwright.tasks.loader import library_ids, load_task
from kernelwright.tasks.suite import suite_files
from kernelwright.verifier.judge import Judge
from kernelwright.verifier.reference.reference import Reference

FOLDERS = (Path("tests/honest/tasks"), Path("benchmarks/large"))
PROCESS_BYTES = 500 * 10**6
LOOK_S = 0.05
THREADS = os.cpu_count() or 1


def main() -> int:
    """Judge every task in a process of its own, print a line for each, and store them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--level", default="strict", choices=("fast", "standard", "strict"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        values = dict(map(parse_setting, given.set))
        print(json.dumps(judged(load_task(given.tasks[0], values), given.level)))
        return 0
    chosen = given.tasks or [*library_ids(), *map(str, _files())]
    options = ["--level", given.level, *(f"--set={value}" for value in given.set)]
    stored = results_file.RESULTS / "memory.json"
    rows = json.loads(stored.read_text())["tasks"] if stored.exists() else {}
    for name in chosen:
        rows[name] = {**_in_own_process(name, options), "level": given.level, **measured_on()}
        results_file.write("memory", {"tasks": rows}, THREADS)
    over = [name for name in chosen if rows[name].get("excess_bytes", 0) > PROCESS_BYTES]
    print(f"{len(chosen) - len(over)} of {len(chosen)} within the budget and 500 MB")
    return int(bool(over))


def _files() -> list[Path]:
    return [path for folder in FOLDERS for path in suite_files(folder)]


def _in_own_process(name: str, options: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", "--one", *options, name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        row: dict[str, Any] = {"failed": f"exit code {done.returncode}"}
    else:
        row = json.loads(done.stdout.splitlines()[-1])
    print(f"{name:50} {_words(row)}", flush=True)
    return row


def _words(row: dict[str, Any]) -> str:
    if "status" not in row:
        return str(row.get("unusable") or row.get("failed"))
    return (
        f"{row['status']} in {row['seconds']} s: judge {row['judge_bytes'] / 1e6:.0f} MB "
        f"(budget {row['budget_bytes'] / 1e6:.0f}), "
        f"largest worker {row['worker_bytes'] / 1e6:.0f} MB"
    )


def judged(task: Task, level: Any) -> dict[str, Any]:
    """Judge a task's reference as a candidate; return peaks and budget in bytes."""
    source = task.source.replace("class Model(", "class ModelNew(")
    candidate = Candidate(source=source, backend="torch", origin=Origin(kind="user"))
    sandbox, start = ProcessSandbox(), time.monotonic()
    peaks = Peaks()
    with Reference.open(task, Machine(sandbox, THREADS, "cpu")) as reference:
        try:
            with tempfile.TemporaryDirectory() as cache:
                found = Judge(reference, Path(cache)).evaluate(candidate, level)
        except InvalidReferenceError as error:
            return {"unusable": error.message}
        wanted = max(reference.needs.values(), key=sum)
    peaks.end()
    sandbox.close()
    return {
        "status": found.status.value,
        "seconds": round(time.monotonic() - start, 1),
        "budget_bytes": wanted.judge,
        "workers_estimate_bytes": wanted.workers,
        "judge_bytes": peaks.own,
        "judge_with_shared_bytes": _rows("/proc/self/status", "VmHWM:"),
        "excess_bytes": peaks.own - wanted.judge,
        "worker_bytes": max(peaks.found.values(), default=0),
    }


class Peaks:
    """The peak memory of this process and of its workers, looked at until it ends."""

    def __init__(self) -> None:
        self.own = 0
        """Bytes of this process, without shared memory."""
        self.found: dict[int, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_S):
            self.own = max(self.own, _rows("/proc/self/status", "RssAnon:", "RssFile:"))
            for pid in _descendants(os.getpid()):
                peak = _rows(f"/proc/{pid}/status", "VmHWM:")
                self.found[pid] = max(peak, self.found.get(pid, 0))


def _descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        own = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [*own, *(further for child in own for further in _descendants(child))]


def _rows(status: str, *names: str) -> int:
    """Return the sum of some rows of a process's status, in bytes; 0 when it is gone."""
    try:
        rows = [line.split() for line in Path(status).read_text().splitlines()]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(row[1]) * 1024 for row in rows if row[0] in names)


if __name__ == "__main__":
    sys.exit(main())

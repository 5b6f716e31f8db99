"""Run many candidates through the real command line, one command at a time on every core.

A command has one core to itself, with one thread in every worker, so none disturbs another.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.kit import Shell

# Candidates that share a reference and its expected values; more make the cores end unevenly.
BATCH = 12


class Job(NamedTuple):
    """A job: candidates of one task that are judged by one command."""

    task: str
    level: str
    policy: str
    files: tuple[Path, ...]


def batches(task: str, level: str, policy: str, files: Sequence[Path]) -> list[Job]:
    """Return the files of one task as jobs of at most `BATCH` files."""
    starts = range(0, len(files), BATCH)
    return [Job(task, level, policy, tuple(files[start : start + BATCH])) for start in starts]


def judged(jobs: Sequence[Job], folder: Path) -> Mapping[Path, dict[str, Any]]:
    """Return every candidate's verdict document by file.

    Where there is no verdict, the reason is the end of the command's stderr.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in sorted(jobs, key=lambda job: -len(job.files)):
        waiting.put(job)
    verdicts: dict[Path, dict[str, Any]] = {}
    cores = sorted(os.sched_getaffinity(0))
    lanes = [
        threading.Thread(target=_lane, args=(core, folder, waiting, verdicts)) for core in cores
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    return verdicts


def _lane(
    core: int, folder: Path, waiting: queue.SimpleQueue[Job], verdicts: dict[Path, dict[str, Any]]
) -> None:
    os.sched_setaffinity(threading.get_native_id(), [core])  # its processes inherit the core
    home = folder / f"lane-{core}"
    home.mkdir(parents=True)
    shell = Shell(home)
    while True:
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        # In the weakest sandbox: the judge must not need a stronger one to refuse.
        options = ["--level", job.level, "--policy", job.policy, "--sandbox", "process"]
        options += ["--threads", "1", "--json"]
        files = [str(path) for path in job.files]
        done = shell.run("verify", job.task, *files, *options)
        lines = [done.out] if len(files) == 1 else done.out.splitlines()
        for document in map(json.loads, filter(str.strip, lines)):
            verdicts[Path(document["candidate"]["file"])] = document
        for path in job.files:
            verdicts.setdefault(
                path, {"status": "no verdict", "flags": [], "reason": done.err[-500:]}
            )

"""The making of `store.sql` and `recording.jsonl`, by the command line of an earlier version.

    python -m tests.compat.make PYTHON

PYTHON is the interpreter of that version's virtual environment. Everything happens in `HOME`, which
must not exist; the two files are written beside this one. Timings differ from run to run: where a
check at the end fails, remove `HOME` and start again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.compat.scripted import (
    BENCH,
    CLOSED,
    CLOSED_IN_PLACE,
    HERE_ONLY,
    IN_PLACE,
    WRONG,
    edit,
    environment,
    script,
    whole,
)
from tests.llm.loopback import Loopback, Reply

HERE = Path(__file__).parent
HOME = Path("/home/user")
PROJECT = HOME / "project"
STORE = HOME / "store.db"
AGAIN = HOME / "again.db"
RECORDING = PROJECT / "recording.jsonl"
OFFLINE = ("-b", "cpp", "-b", "inductor", *HERE_ONLY)
MODEL = ("-m", "openai/gpt-4o", "-b", "torch", *HERE_ONLY)
CHAIN, BLEND = "tasks/1_Chain.py", "tasks/2_Blend.py"
HELD = Reply(fault="silence")
LONGEST_S = 300.0


class Old(NamedTuple):
    """The command line of the earlier version."""

    python: str
    store: Path = STORE

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in the project's folder."""
        temporary = HOME / "tmp"
        temporary.mkdir(exist_ok=True)
        own = {"PATH": os.environ["PATH"], "HOME": str(HOME), "TMPDIR": str(temporary)}
        return subprocess.Popen(
            [self.python, "-m", "kernelwright", *arguments],
            cwd=PROJECT,
            env={**own, "KERNELWRIGHT_STORE": str(self.store), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> str:
        """Run a command to its end; return what it printed."""
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=LONGEST_S)
        print(f"{' '.join(arguments)}: {process.returncode}\n{err}", file=sys.stderr)
        assert process.returncode in (0, 1), out
        return out


@contextmanager
def served(*answers: str | Reply) -> Iterator[Loopback]:
    """Yield a provider that answers the coder with `answers` in turn."""
    provider = Loopback()
    provider.respond = script(*answers)
    try:
        yield provider
    finally:
        provider.close()


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + LONGEST_S
    while not reached():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def finished_with_repair(old: Old) -> None:
    """Make a run: the first attempt is wrong, the second repairs it by an edit."""
    with served(whole(WRONG), edit(WRONG, CLOSED)) as provider:
        env = environment(provider)
        old.run("optimize", CHAIN, *MODEL, "-n", "2", KERNELWRIGHT_CODER_ANSWERS="edits", **env)


def interrupted_run(old: Old) -> None:
    """Make two of three attempts, the second by an edit, and a call without an answer."""
    env = {"KERNELWRIGHT_CODER_ANSWERS": "edits", "KERNELWRIGHT_RECORD": str(RECORDING)}
    with served(whole(IN_PLACE), edit(IN_PLACE, CLOSED), HELD) as provider:
        process = old.start("optimize", CHAIN, *MODEL, "-n", "3", **env, **environment(provider))
        # planner, coder and profiler of two attempts, and the third's planner and coder
        until(lambda: len(provider.asked) == 8)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(1)
        _, err = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130, err


def rest_of_recording(old: Old) -> None:
    """Continue a copy of the interrupted run, so that the recording holds all of it."""
    shutil.copy(STORE, AGAIN)
    (run,) = (
        run for run in runs(old) if run["status"] == "interrupted" and "task" in run["config"]
    )
    with served(edit(CLOSED, CLOSED_IN_PLACE)) as provider:
        old._replace(store=AGAIN).run("runs", "resume", run["id"], **environment(provider))
        assert len(provider.asked) == 1


def interrupted_bench(old: Old) -> None:
    """Make a bench run with one of two tasks done."""
    process = old.start(*BENCH)
    assert process.stderr is not None
    for line in process.stderr:
        if "2_Blend: running the reference" in line:
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130


def runs(old: Old) -> list[dict[str, Any]]:
    """Return all runs, the latest first."""
    return list(json.loads(old.run("runs", "list", "--json")))


def dump() -> str:
    """Return the store as SQL."""
    with closing(sqlite3.connect(STORE)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def check(old: Old) -> None:
    """Check that the runs are what the tests need: the old version shows them as it should."""
    shown = [json.loads(old.run("runs", "show", run["id"], "--json")) for run in runs(old)]
    facts = [(one["run"]["command"], one["run"]["status"], len(one["attempts"])) for one in shown]
    assert facts == [
        ("bench", "interrupted", 1),
        ("optimize", "interrupted", 2),
        ("optimize", "done", 2),
        ("optimize", "done", 2),
    ], facts
    results = [[result["status"] for result in one["results"]] for one in shown]
    assert results == [["improved"], [], ["improved"], ["improved"]], results
    assert [one["evaluation"]["status"] for one in shown[1]["attempts"]] == ["passed"] * 2


def make(old: Old) -> None:
    """Make everything anew."""
    PROJECT.mkdir(parents=True)
    shutil.copytree(HERE / "tasks", PROJECT / "tasks", ignore=shutil.ignore_patterns("__*"))
    old.run("optimize", BLEND, *OFFLINE, "-n", "2")
    finished_with_repair(old)
    interrupted_run(old)
    interrupted_bench(old)
    check(old)
    (HERE / "store.sql").write_text(dump())
    rest_of_recording(old)
    shutil.copy(RECORDING, HERE / "recording.jsonl")


if __name__ == "__main__":
    make(Old(sys.argv[1]))

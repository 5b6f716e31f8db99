"""Killing a search with SIGKILL at random points, again and again, until it has ended.

The provider is a process of its own that survives; what it was asked is on disk, in order. Each
search is a fork that opens its own store, so a kill ends it between any two instructions.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kernelwright.schema import Candidate, Evaluation, Status
from kernelwright.store.store import open_store
from tests.agents.model_kit import TASK, loopback_server
from tests.agents.workflow_kit import ByPlan, run
from tests.llm.conftest import Hosted, openai_hosted
from tests.llm.loopback import Asked, Loopback, Reply
from tests.store import samples

ATTEMPTS, PROPOSALS, REPAIRS = 6, 2, 1
LATENCY_S = 0.01
LONGEST_S = (0.1, 0.3, 1.0, 3.0)
"""Most seconds of one part of a search; a whole one takes about a second."""
FORK = multiprocessing.get_context("fork")


class Question(NamedTuple):
    """The texts that tell requests apart."""

    texts: tuple[str, ...]


class Crash(NamedTuple):
    """One search that was killed, perhaps more than once, and then ended."""

    kills: int
    is_identical: bool
    """Whether attempts, verdicts, diagnoses and moves are those of a search that was not killed."""
    paid_twice: int
    """Requests that were sent again although the ledger had their answer."""
    lost: int
    """Answers in the ledger that no stored call has."""
    in_flight: int
    """Requests that were under way at a kill, and so were sent again."""


def judged(candidate: Candidate) -> Evaluation:
    """Return the verdict of `judged_at_once`, after a while."""
    time.sleep(LATENCY_S)
    return judged_at_once(candidate)


def judged_at_once(candidate: Candidate) -> Evaluation:
    """Return a verdict that depends on the file alone; one in five is a crash, one is not built."""
    number = int(candidate.hash, 16)
    faults = {0: Status.RUNTIME_ERROR, 1: Status.COMPILE_ERROR}
    status = faults.get(number % 5, Status.PASSED)
    speedup = 1 + number % 1000 / 500 if status is Status.PASSED else None
    return samples.evaluation(candidate, speedup, status=status, for_task=TASK)


@contextmanager
def provider(asked: Path) -> Iterator[Hosted]:
    """Yield a provider in a process of its own, which notes every question that it answers."""
    address, other = FORK.Pipe()
    process = FORK.Process(target=_serve, args=(other, asked), daemon=True)
    process.start()
    port = address.recv()
    try:
        yield openai_hosted(_Elsewhere(port))
    finally:
        process.kill()
        process.join()


class _Elsewhere(Loopback):
    """A loopback server of another process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.asked = []

    @property
    def url(self) -> str:
        return self._url


def _serve(address: multiprocessing.connection.Connection, path: Path) -> None:
    with loopback_server() as server, path.open("a") as file:
        answer = ByPlan(openai_hosted(server))

        def respond(asked: Asked) -> Reply:
            time.sleep(LATENCY_S)
            texts = [str(message["content"]) for message in asked.body["messages"]]
            file.write(json.dumps(texts) + "\n")
            file.flush()
            return answer(asked)

        server.respond = respond
        address.send(server.url)
        signal.pause()


def search(hosted: Hosted, folder: Path) -> None:
    """Run a whole search, or the rest of one."""
    run(hosted, folder, judged, attempts=ATTEMPTS, proposals=PROPOSALS, repairs=REPAIRS)


def seconds_of(hosted: Hosted, folder: Path) -> float:
    """Run a search to its end in a fork; return the seconds it took."""
    start = time.monotonic()
    process = FORK.Process(target=search, args=(hosted, folder))
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - start


def crash(hosted: Hosted, asked: Path, folder: Path, whole: Path, chance: random.Random) -> Crash:
    """Kill a search at random points until it ends by itself.

    Args:
        whole: folder of a search of the same provider that was not killed.
    """
    kills = paid_twice = in_flight = 0
    while True:
        known, start = _answered(folder), asked.stat().st_size
        process = FORK.Process(target=search, args=(hosted, folder))
        process.start()
        process.join(chance.uniform(0.02, chance.choice(LONGEST_S)))
        ended = process.exitcode is not None
        if not ended:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        time.sleep(2 * LATENCY_S)  # the provider may still be answering
        sent = _questions(asked, start)
        paid_twice += sum(question in known for question in sent)
        in_flight += 0 if ended else len(sent) - len(_answered(folder) - known)
        if ended:
            assert process.exitcode == 0
            break
    same = _archive(folder) == _archive(whole)
    return Crash(kills, same, paid_twice, _without_call(folder), in_flight)


def _questions(asked: Path, start: int) -> list[Question]:
    with asked.open("rb") as file:
        file.seek(start)
        return [Question(tuple(json.loads(line))) for line in file.read().splitlines()]


def _answered(folder: Path) -> set[Question]:
    """Return the questions with an answer in the ledger."""
    path = folder / "stage.db"
    if not path.exists():
        return set()
    with sqlite3.connect(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchall():
            return set()
        answered = "SELECT messages FROM requests WHERE answer IS NOT NULL"
        keys = [row.split() for (row,) in connection.execute(answered).fetchall()]
        texts = dict(connection.execute("SELECT key, data FROM messages").fetchall())
    said = {key: json.loads(data)["content"] for key, data in texts.items()}
    return {Question(tuple(said[key] for key in row)) for row in keys}


def _without_call(folder: Path) -> int:
    with open_store(folder / "stage.db") as store:
        calls = [call for call in store.model_calls_of(samples.RUN_ID) if call.answer is not None]
    stored = {Question(tuple(m.text for m in call.messages)) for call in calls}
    return len(_answered(folder) - stored) + len(calls) - len(stored)


def _archive(folder: Path) -> list[object]:
    """Return the attempts that a search ended with, but for times of the clock."""
    with open_store(folder / "stage.db") as store:
        attempts = store.attempts_of(samples.RUN_ID)
    return [attempt.model_dump(mode="json", exclude={"span"}) for attempt in attempts]

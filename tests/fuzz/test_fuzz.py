"""Streams that no honest worker sends: the judge never crashes, hangs, or takes wrong for right."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from kernelwright.schema import Status
from kernelwright.verifier.correctness import check, rules
from kernelwright.verifier.tolerance import Difference
from kernelwright.verifier.worker import outputs
from kernelwright.verifier.worker.channel import Channel
from tests.fuzz import sessions
from tests.fuzz.driver import fuzz, play, virtual_clock
from tests.fuzz.player import Stream
from tests.fuzz.recordings import Session, recordings
from tests.fuzz.streams import stream

SEED, COUNT = 20, 3000
RIGHT = Difference(None, 0.0, 0.0, 0.0)
EXPECTED = {
    Status.RUNTIME_ERROR, Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.INCORRECT_SHAPE,
    Status.INCORRECT_DTYPE, Status.INCORRECT_NUMERICAL, Status.REWARD_HACK,
}  # fmt: skip


def test_no_stream_makes_the_judge_crash_hang_or_accept() -> None:
    outcome = fuzz(COUNT, SEED)
    assert outcome.findings == []
    assert set(outcome.faults) == EXPECTED
    assert outcome.harmless > COUNT / 10  # they get far enough to matter
    assert outcome.faults.total() + outcome.harmless == COUNT


def named(session: Session) -> str:
    return session.name


def test_honest_streams_are_taken_for_right() -> None:
    with virtual_clock() as clock:
        for session in recordings():
            honest = Stream(b"".join(session.frames))
            assert play(session, honest, clock) is None, session.name


def test_streams_are_determined_by_seed_and_number() -> None:
    first, again = ([stream(seed, n, recordings())[1] for n in range(50)] for seed in (1, 1))
    assert first == again
    assert first != [stream(2, n, recordings())[1] for n in range(50)]


def found(kind: str) -> int:
    return len(fuzz(400, SEED).of(kind))


def test_it_finds_a_judge_that_takes_any_values() -> None:
    def anything(*_: Any, **__: Any) -> Difference:
        return RIGHT

    with patch.object(check, "compare", anything), patch.object(rules, "compare", anything):
        assert found("acceptance") > 0


def test_it_finds_a_judge_that_lets_workers_choose_how_they_are_read() -> None:
    taken = sessions.RESULT

    def forgetful(self: Any, ran: Any, call: int, expect: Any = None) -> Any:
        self._way = None
        return taken(self, ran, call, expect)

    with patch.object(sessions, "RESULT", forgetful):
        assert found("acceptance") > 0


@pytest.mark.parametrize("check", ["_is_row", "_is_entry"])
def test_it_finds_a_judge_that_does_not_look_at_what_it_parses(check: str) -> None:
    with patch.object(outputs, check, lambda *_: True):
        assert found("crash") > 0


def test_it_finds_a_judge_that_waits_too_long() -> None:
    fill = Channel._fill

    def patient(self: Channel, view: memoryview, deadline: float) -> None:
        fill(self, view, deadline + 3600)

    with patch.object(Channel, "_fill", patient):
        assert found("hang") > 0

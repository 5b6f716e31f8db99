"""The ledger of a task: what was asked, answered and done, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.agents.model.ledger import Asked, Ledger
from kernelwright.llm.base import Completion, Request
from kernelwright.schema import Usage
from kernelwright.store.store import open_store
from tests.store import samples

CALL = samples.call()
ASKED = Asked(model=CALL.model, request=Request(messages=CALL.messages, max_tokens=9))
ANSWER = Completion(text="yes", stop="end", usage=Usage(), model="some-model")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_store(tmp_path / "store.db") as store:
        store.add_run(samples.run())
        store.add_task(samples.RUN_ID, samples.task())
        yield Ledger(store, samples.RUN_ID, samples.task().id)


def test_a_request_is_answered_once(ledger: Ledger) -> None:
    assert ledger.answer(0, ASKED) is None
    ledger.note(0, ASKED, Usage.zero())
    assert ledger.answer(0, ASKED) is None
    ledger.answered(0, ASKED, ANSWER, CALL)
    assert ledger.answer(0, ASKED) == ANSWER
    assert ledger.answer(1, ASKED) is None
    assert ledger.store.model_calls_of(samples.RUN_ID) == [CALL]


def test_a_tools_result_outlives_its_process(ledger: Ledger) -> None:
    """Check that what is done is seen through another connection, at once."""
    with open_store(ledger.store.location) as store:
        other = ledger._replace(store=store)
        assert ledger.tool_done(2, "call-1", samples.tool_step()) == samples.tool_step()
        assert other.tool_result(2, "call-1") == samples.tool_step()
        assert other.tool_result(2, "call-2") is None
        assert other.tool_result(1, "call-1") is None


def test_a_call_that_was_carried_out_twice_has_one_result(ledger: Ledger) -> None:
    first, second = samples.tool_step(result="12.0 us"), samples.tool_step(result="12.1 us")
    ledger.tool_done(0, "time", first)
    assert ledger.tool_done(0, "time", second) == first
    assert ledger.tool_result(0, "time") == first

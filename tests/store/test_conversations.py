"""Conversations with models: each message is stored once, and found again by every call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.errors import StoreError
from kernelwright.schema import Message, ModelCall, Usage
from kernelwright.store.rows import encode
from kernelwright.store.store import Store, open_store
from tests.store import samples

CALLS = 40
INLINE = "UPDATE model_calls SET data = ?, messages = NULL WHERE position = ?"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        opened.add_run(samples.run())
        opened.add_task(samples.RUN_ID, samples.task())
        yield opened


def episode() -> list[ModelCall]:
    """Return calls that repeat all that was said, and say two messages more each time."""
    messages = samples.call().messages
    calls = []
    for number in range(CALLS):
        answer = f"answer {number} " + "code " * 400
        calls.append(samples.call(answer, attempt=0, messages=messages))
        result = Message(role="user", content=f"result {number} " + "measured " * 200)
        messages = (*messages, Message(role="assistant", content=answer), result)
    return calls


def journaled(store: Store, calls: list[ModelCall]) -> None:
    """Store calls as the ledger does: each before it is sent, and with its answer."""
    for number, call in enumerate(calls):
        place = (samples.RUN_ID, samples.task().id, 0, f"key {number}")
        store.journal(*place, samples.task(), call.messages, Usage())
        store.settle(*place, "an answer", call)


def value(path: Path, query: str) -> int:
    with sqlite3.connect(path) as connection:
        (found,) = connection.execute(query).fetchone()
    return int(found)


def test_each_message_of_a_long_conversation_is_stored_once(store: Store, path: Path) -> None:
    calls = episode()
    journaled(store, calls)
    said = calls[-1].messages
    assert value(path, "SELECT count(*) FROM messages") == len(said) == 2 * CALLS
    texts = value(path, "SELECT sum(length(data)) FROM messages")
    assert texts < 1.1 * sum(len(message.text) for message in said)
    repeated = sum(len(message.text) for call in calls for message in call.messages)
    for table in ("model_calls", "requests"):
        keys = value(path, f"SELECT sum(length(messages)) FROM {table}")
        assert texts + keys < repeated / 10
        assert value(path, f"SELECT count(*) FROM {table} WHERE data LIKE '%result 0%'") == 0


def test_a_conversation_comes_back_as_it_went_in(store: Store) -> None:
    calls = episode()
    journaled(store, calls)
    found = store.model_calls_of(samples.RUN_ID)
    assert found == calls
    first = found[0].messages[0]
    assert all(call.messages[0] is first for call in found)  # one object: it was read once


def test_more_messages_than_a_query_takes(store: Store) -> None:
    said = tuple(Message(role="user", content=str(number)) for number in range(1201))
    call = samples.call(messages=said)
    store.add_model_call(samples.RUN_ID, samples.task().id, call)
    assert store.model_calls_of(samples.RUN_ID) == [call]


def test_rows_with_their_messages_inside_are_read_as_they_are(store: Store, path: Path) -> None:
    calls = episode()[:3]
    journaled(store, calls)
    with sqlite3.connect(path) as connection:
        connection.execute(INLINE, (encode(calls[1]), 1))
    assert store.model_calls_of(samples.RUN_ID) == calls
    assert store.task_record(samples.run(), samples.task().id).calls == calls


def test_a_lost_message_is_named(store: Store, path: Path) -> None:
    journaled(store, episode()[:3])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM messages WHERE data LIKE '%result 0%'")
    with pytest.raises(StoreError, match="lack a message") as caught:
        store.model_calls_of(samples.RUN_ID)
    assert "restore" in str(caught.value.hint)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM messages")
    with pytest.raises(StoreError, match="lack 6 messages"):
        store.model_calls_of(samples.RUN_ID)


def test_a_message_changed_by_hand_is_named(store: Store, path: Path) -> None:
    journaled(store, episode()[:1])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE messages SET data = '{}'")
    with pytest.raises(StoreError, match="stored Message cannot be read"):
        store.model_calls_of(samples.RUN_ID)


def test_a_call_that_is_refused_leaves_no_messages(store: Store, path: Path) -> None:
    with pytest.raises(StoreError):
        store.add_model_call(samples.RUN_ID, "kernelbench/other", samples.call())
    assert value(path, "SELECT count(*) FROM messages") == 0


def test_two_processes_may_say_the_same(store: Store, path: Path) -> None:
    with open_store(path) as other:
        for one in (store, other):
            one.add_model_call(samples.RUN_ID, samples.task().id, samples.call())
    assert store.model_calls_of(samples.RUN_ID) == [samples.call()] * 2
    assert value(path, "SELECT count(*) FROM messages") == 2

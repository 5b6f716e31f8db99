"""Answers in pieces, from every provider: watched, ended early, torn, broken off and repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernelwright.errors import ProviderError
from kernelwright.llm.base import Completion, Heard
from kernelwright.schema import Usage
from tests.llm.conftest import LONG_S, QUESTION, Hosted
from tests.llm.loopback import Reply
from tests.llm.streams import Events, events_of

TEXT = "Größe \u2603\u2028 of 4096:\r\n```python\nx = 1\n```\n" * 9


def path_of(hosted: Hosted) -> str:
    """Return the path that a client's requests go to."""
    hosted.loopback.script(hosted.answer("x"))
    hosted.ask()
    return hosted.loopback.asked.pop().path


def events(hosted: Hosted, text: str = TEXT) -> Events:
    """Return the events of an answer, with counts of tokens."""
    path = path_of(hosted)
    body = hosted.answer(text, usage=hosted.usage(10, 5)).body
    assert isinstance(body, dict)
    found = events_of(path, body)
    assert found is not None
    return found


def watched(hosted: Hosted, most: int = 10**9) -> tuple[Completion, list[Heard]]:
    """Ask, and want no more once so many characters have come."""
    heard: list[Heard] = []

    def watch(now: Heard) -> bool:
        heard.append(now)
        return now.characters < most

    return hosted.llm.complete(QUESTION, deadline_s=LONG_S, watch=watch), heard


def test_half_a_character_is_replaced(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.answer("half \ud83d, whole \U0001f600", usage=hosted.usage(1, 1)))
    assert hosted.ask().text == "half \ufffd, whole \U0001f600"


def test_a_watcher_hears_everything_once_and_in_order(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.answer(TEXT, usage=hosted.usage(10, 5)))
    found, heard = watched(hosted)
    assert found.text == TEXT and found.usage.output_tokens == 5
    assert "".join(one.piece for one in heard) == TEXT and len(heard) > 10
    counts = [one.characters for one in heard]
    assert counts == sorted(set(counts)) and counts[-1] == len(TEXT)


def test_an_answer_can_be_ended_early(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.answer(TEXT, usage=hosted.usage(10, 5)))
    found, heard = watched(hosted, most=len(TEXT) // 3)
    assert found.stop == "stopped" and found.usage == Usage()
    assert TEXT.startswith(found.text) and found.text == "".join(one.piece for one in heard)
    assert 0 < len(found.text) < len(TEXT) and len(hosted.loopback.asked) == 1


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_it_does_not_matter_where_the_wire_cuts(hosted: Hosted, size: int) -> None:
    whole = hosted.answer(TEXT, usage=hosted.usage(10, 5))
    hosted.loopback.script(Reply(whole.body, chunk_bytes=size))
    found = hosted.ask()
    assert (found.text, found.stop, found.usage.input_tokens) == (TEXT, "end", 10)


def test_a_server_may_answer_in_one_piece(hosted: Hosted) -> None:
    whole = hosted.answer(TEXT, usage=hosted.usage(10, 5))
    hosted.loopback.script(Reply(whole.body, in_one_piece=True), whole)
    assert hosted.ask() == hosted.ask()


@pytest.mark.parametrize("fault", ["drop", "end"])
def test_a_stream_that_breaks_off_is_asked_again_and_may_have_cost(
    hosted: Hosted, fault: Any
) -> None:
    hosted.loopback.script(Reply(hosted.answer(TEXT).body, fault=fault), hosted.answer("hi"))
    leaves: list[None] = []
    found = hosted.llm.complete(QUESTION, deadline_s=LONG_S, pay_again=lambda: leaves.append(None))
    assert found.text == "hi" and len(leaves) == 1
    hosted.loopback.script(Reply(hosted.answer(TEXT).body, fault=fault))
    with pytest.raises(ProviderError, match=r"broke off after \d+ characters"):
        hosted.ask()


def test_what_breaks_behind_the_end_is_not_asked_again(hosted: Hosted) -> None:
    sent = events(hosted)
    more = {"type": "padding", "padding": "x" * 2 * len(json.dumps(sent))}
    hosted.loopback.script(Reply(events=[*sent, more], fault="drop"))
    found = hosted.ask()
    assert (found.text, found.usage.output_tokens) == (TEXT, 5)
    assert len(hosted.loopback.asked) == 1


def test_a_stream_that_breaks_off_before_the_first_word_is_asked_again(hosted: Hosted) -> None:
    hosted.loopback.script(Reply(events=events(hosted)[:1]), hosted.answer("hi"))
    assert hosted.ask().text == "hi"


def is_chat(hosted: Hosted) -> bool:
    """Return whether a client speaks Chat Completions, whose events have no type."""
    body = hosted.answer("").body
    return isinstance(body, dict) and "choices" in body


@pytest.mark.parametrize(
    ("kind", "times"), [("overloaded_error", 4), ("server_error", 4), ("invalid_request_error", 1)]
)
def test_a_failure_in_the_middle_is_told_and_tried_again_where_that_can_help(
    hosted: Hosted, kind: str, times: int
) -> None:
    error = {"type": kind, "code": kind, "message": "so far and no further"}
    told = {"error": error} if is_chat(hosted) else {"type": "error", "error": error}
    hosted.loopback.script(Reply(events=[*events(hosted)[:3], told]))
    with pytest.raises(ProviderError, match="broke off its answer: so far and no further"):
        hosted.ask()
    assert len(hosted.loopback.asked) == times


def test_what_comes_again_changes_nothing(hosted: Hosted) -> None:
    sent = events(hosted)
    # What has a number may come again anywhere; words without one may be meant twice.
    is_numbered = "sequence_number" in sent[0]
    last = len(sent) - 2
    again = [
        copy
        for place, event in enumerate(sent)
        for copy in (event, *([event] if is_numbered or place in (0, last, last + 1) else []))
    ]
    hosted.loopback.script(Reply(events=again))
    found = hosted.ask()
    assert (found.text, found.stop) == (TEXT, "end")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (10, 5)


def test_an_event_that_is_no_json_is_a_provider_error(hosted: Hosted) -> None:
    hosted.loopback.script(
        Reply(b"data: <html>\n\n", headers={"content-type": "text/event-stream"})
    )
    with pytest.raises(ProviderError, match="without an answer"):
        hosted.ask()


def test_comments_and_other_fields_are_skipped(hosted: Hosted) -> None:
    lines = [f": waiting\nid: 7\nretry: 3\ndata:{json.dumps(e)}\r\n\r\n" for e in events(hosted)]
    hosted.loopback.script(
        Reply("".join(lines).encode(), headers={"content-type": "text/event-stream; charset=utf-8"})
    )
    assert hosted.ask().text == TEXT

"""Requests, answers and their parts: identities, and what is read and stored."""

from __future__ import annotations

import pytest

from kernelwright.llm.base import Completion, Request, Tool
from kernelwright.schema import (
    Message,
    ModelCall,
    OpaquePart,
    Span,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
    digest,
)

ASKED = Message(role="user", content="How fast is it?")
PLAIN = Request(messages=(ASKED,), max_tokens=9)
TOOL = Tool(name="time", description="Time the file.", parameters={"type": "object"})
CALL = ToolCall(id="c1", name="time", arguments='{"level": "fast"}')
THOUGHT = OpaquePart(provider="anthropic/messages", data={"type": "thinking", "signature": "s"})
SPOKEN = Message(role="assistant", content=(THOUGHT, TextPart(text="Let me see."), CALL))
RESULT = Message(role="user", content=(ToolResult(call_id="c1", text="no file", is_error=True),))


def test_the_key_of_a_plain_request_is_that_of_the_first_version() -> None:
    first = {"messages": [{"role": "user", "content": "How fast is it?"}], "max_tokens": 9}
    assert PLAIN.key == digest({**first, "temperature": None})
    assert PLAIN.model_copy(update={"cache_key": "run/task"}).key == PLAIN.key


@pytest.mark.parametrize(
    ("change", "asks_the_same"),
    [
        ({"tools": (TOOL,)}, False),
        ({"answer_schema": {"type": "object"}}, False),
        ({"messages": (ASKED, SPOKEN, RESULT)}, False),
        ({"effort": "high"}, True),
        ({"max_tokens": 10}, True),
    ],
)
def test_what_decides_an_answer_is_in_the_key(
    change: dict[str, object], asks_the_same: bool
) -> None:
    changed = PLAIN.model_copy(update=change)
    assert changed.key != PLAIN.key
    assert (changed.question == PLAIN.question) is asks_the_same


def test_a_message_of_parts_is_stored_and_read_in_words() -> None:
    conversation = (ASKED, SPOKEN, RESULT)
    stored = [message.model_dump_json() for message in conversation]
    assert tuple(map(Message.model_validate_json, stored)) == conversation
    assert SPOKEN.text == 'Let me see.\n[calls time: {"level": "fast"}]'
    assert RESULT.text == "[error: no file]"
    assert ASKED.parts == (TextPart(text="How fast is it?"),)


def test_an_answer_goes_on_as_a_message() -> None:
    words = Completion(text="fine", stop="end", usage=Usage(), model="m")
    assert words.message == Message(role="assistant", content="fine")
    acts = words.model_copy(update={"stop": "tool_use", "parts": SPOKEN.content})
    assert acts.message == SPOKEN and acts.tool_calls == (CALL,)


def test_the_share_of_cached_tokens_is_known_or_none() -> None:
    cached = Usage(input_tokens=100, output_tokens=1, cost_usd=0.0, cached_input_tokens=80)
    assert cached.cached_share == 0.8
    assert (cached + cached + Usage.zero()).cached_share == 0.8
    assert (cached + Usage(input_tokens=1)).cached_share is None
    assert Usage.zero().cached_share is None and Usage.zero().is_free


def test_blocks_are_counted_in_a_conversation_with_tools() -> None:
    call = ModelCall(
        role="coder",
        model="m",
        messages=(ASKED, SPOKEN),
        blocks={"device": len(SPOKEN.text)},
        answer="",
        usage=Usage(input_tokens=len(ASKED.text) + len(SPOKEN.text)),
        span=Span(started=0, ended=0),
    )
    assert call.block_tokens == {"device": len(SPOKEN.text)}

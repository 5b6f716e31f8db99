"""The Messages wire format, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernelwright.llm.anthropic_client import AnthropicMessages
from kernelwright.llm.base import Request
from kernelwright.llm.endpoint import Endpoint
from kernelwright.schema import Message, OpaquePart
from tests.llm.conftest import KEY, LONG_S, anthropic_hosted
from tests.llm.conversation import PARAMETERS, SCHEMA, conversation
from tests.llm.loopback import Loopback, Reply, anthropic_answer, anthropic_usage

TURNS = (
    Message(role="system", content="You write kernels.\n"),
    Message(role="system", content="The device is a CPU."),
    Message(role="user", content="  ünïcode \u2603 and\ttabs  "),
    Message(role="assistant", content="```python\nx = 1\n```"),
    Message(role="user", content="faster"),
)


def test_every_message_arrives_unchanged(loopback: Loopback) -> None:
    loopback.script(anthropic_answer("ok"))
    request = Request(messages=TURNS, max_tokens=77, temperature=0.25)
    anthropic_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    [asked] = loopback.asked
    assert asked.path == "/v1/messages"
    assert KEY in (asked.headers.get("x-api-key") or asked.headers["authorization"])
    assert asked.body == {
        "model": "claude-haiku-4-5",
        "system": [{"type": "text", "text": turn.content} for turn in TURNS[:2]],
        "messages": [turn.model_dump() for turn in TURNS[2:]],
        "max_tokens": 77,
        "stream": True,
        "temperature": 0.25,
    }


def test_a_later_system_message_stays_in_its_place(loopback: Loopback) -> None:
    loopback.script(anthropic_answer("ok"))
    turns = (TURNS[2], TURNS[0], TURNS[4])
    request = Request(messages=turns, max_tokens=7)
    anthropic_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    assert loopback.asked[0].body == {
        "model": "claude-haiku-4-5",
        "messages": [turn.model_dump() for turn in turns],
        "max_tokens": 7,
        "stream": True,
    }


def test_a_long_answer_is_asked_for(loopback: Loopback) -> None:
    loopback.script(anthropic_answer("ok"))
    llm = anthropic_hosted(loopback).llm
    llm.complete(Request(messages=TURNS, max_tokens=128_000), deadline_s=LONG_S)
    assert loopback.asked[0].body["max_tokens"] == 128_000


@pytest.mark.parametrize(
    ("stop_reason", "stop"),
    [
        ("end_turn", "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("refusal", "refusal"),
        ("pause_turn", "other"),
    ],
)
def test_why_it_stopped(loopback: Loopback, stop_reason: str, stop: str) -> None:
    loopback.script(anthropic_answer("half an ans", stop_reason=stop_reason))
    completion = anthropic_hosted(loopback).ask()
    assert (completion.stop, completion.text) == (stop, "half an ans")


THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "gAAA"}


def opus(loopback: Loopback, model: str = "claude-opus-5-5") -> AnthropicMessages:
    where = Endpoint("anthropic", loopback.url, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", KEY)
    return AnthropicMessages(f"anthropic/{model}", model, where)


def test_tools_thoughts_calls_and_results_arrive(loopback: Loopback) -> None:
    loopback.script(anthropic_answer("ok"))
    opaque = (
        OpaquePart(provider="openai/responses", data={"type": "reasoning"}),
        OpaquePart(provider="anthropic/messages", data=THINKING),
    )
    request = conversation(*opaque, answer_schema=SCHEMA, effort="max", cache_key="run/task")
    opus(loopback).complete(request, deadline_s=LONG_S)
    body = loopback.asked[0].body
    tool = {"name": "check", "description": "Check the file.", "input_schema": PARAMETERS}
    assert body["tools"] == [tool]
    use = {"type": "tool_use", "name": "check"}
    spoken = [
        THINKING,
        {"type": "text", "text": "Let me see."},
        {**use, "id": "c1", "input": {"level": "fast"}},
        {**use, "id": "c2", "input": {}},
    ]
    right = {"tool_use_id": "c1", "content": "right", "is_error": False}
    wrong = {"tool_use_id": "c2", "content": "arguments are no JSON", "is_error": True}
    results = [{"type": "tool_result", **right}, {"type": "tool_result", **wrong}]
    assert body["messages"][1:] == [
        {"role": "assistant", "content": spoken},
        {"role": "user", "content": results},
    ]
    form = {"type": "json_schema", "schema": SCHEMA}
    assert body["output_config"] == {"effort": "max", "format": form}
    assert body["cache_control"] == body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "thinking" not in body  # it always thinks


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "asked"),
    [
        ("claude-sonnet-4-6", "high", {"type": "adaptive"}, "high"),
        ("claude-sonnet-4-6", None, None, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        ("claude-opus-5-5", "none", None, "low"),
        ("claude-haiku-4-5", "high", None, None),
        ("claude-of-tomorrow", "high", None, "high"),
    ],
)
def test_effort_is_asked_for_as_each_model_takes_it(
    loopback: Loopback, model: str, effort: Any, thinking: Any, asked: str | None
) -> None:
    loopback.script(anthropic_answer("ok"))
    request = Request(messages=TURNS, max_tokens=9, effort=effort)
    opus(loopback, model).complete(request, deadline_s=LONG_S)
    body = loopback.asked[0].body
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == asked
    assert "cache_control" not in body  # nothing goes on from this


def test_an_answer_with_thoughts_and_parallel_calls(loopback: Loopback) -> None:
    given = {"source": "x = 1\n" * 99}
    reply = anthropic_answer("Now:", stop_reason="tool_use")
    assert isinstance(reply.body, dict)
    uses = [
        {"type": "tool_use", "id": "t1", "name": "write", "input": given},
        {"type": "tool_use", "id": "t2", "name": "check", "input": {}},
    ]
    reply.body["content"] = [THINKING, REDACTED, *reply.body["content"], *uses]
    loopback.script(reply, Reply(reply.body, in_one_piece=True))
    llm = opus(loopback)
    request = Request(messages=TURNS, max_tokens=9)
    found = llm.complete(request, deadline_s=LONG_S)
    assert found == llm.complete(request, deadline_s=LONG_S)
    assert (found.text, found.stop) == ("Now:", "tool_use")
    assert [(one.id, json.loads(one.arguments)) for one in found.tool_calls] == [
        ("t1", given),
        ("t2", {}),
    ]
    assert [part.data for part in found.parts if isinstance(part, OpaquePart)] == [
        THINKING,
        REDACTED,
    ]


def test_thoughts_without_a_signature_do_not_go_back(loopback: Loopback) -> None:
    reply = anthropic_answer(None, stop_reason="max_tokens")
    assert isinstance(reply.body, dict)
    reply.body["content"] = [{"type": "thinking", "thinking": "hm", "signature": ""}]
    loopback.script(reply)
    found = anthropic_hosted(loopback).ask()
    assert (found.text, found.parts, found.stop) == ("", (), "max_tokens")


def test_only_text_blocks_are_the_answer(loopback: Loopback) -> None:
    reply = anthropic_answer("one ")
    assert isinstance(reply.body, dict)
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    reply.body["content"] = [thinking, *reply.body["content"], {"type": "text", "text": "two"}]
    loopback.script(reply)
    assert anthropic_hosted(loopback).ask().text == "one two"


def test_cached_tokens_count_as_input_and_have_their_own_prices(loopback: Loopback) -> None:
    usage = anthropic_usage(400, 100, read=600, written=200)
    loopback.script(anthropic_answer("ok", usage=usage))
    completion = anthropic_hosted(loopback).ask()
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (1200, 100)
    assert completion.usage.cached_share == 0.5
    dollars = (400 * 1.0 + 600 * 0.1 + 200 * 1.25 + 100 * 5.0) / 1e6
    assert completion.usage.cost_usd == pytest.approx(dollars)


@pytest.mark.parametrize(
    "extra", [{"service_tier": "priority"}, {"speed": "fast"}, {"inference_geo": "us"}]
)
def test_dearer_service_has_no_known_price(loopback: Loopback, extra: dict[str, str]) -> None:
    loopback.script(anthropic_answer("ok", usage=anthropic_usage(10, 10) | extra))
    usage = anthropic_hosted(loopback).ask().usage
    assert (usage.input_tokens, usage.cost_usd) == (10, None)

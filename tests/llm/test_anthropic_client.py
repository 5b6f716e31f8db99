"""The Messages wire format, both ways."""

from __future__ import annotations

import pytest

from kernelwright.llm.base import Request
from kernelwright.schema import Message
from tests.llm.conftest import KEY, LONG_S, anthropic_hosted
from tests.llm.loopback import Loopback, anthropic_answer, anthropic_usage

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
    }


def test_a_long_answer_needs_no_streaming(loopback: Loopback) -> None:
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
    dollars = (400 * 1.0 + 600 * 0.1 + 200 * 1.25 + 100 * 5.0) / 1e6
    assert completion.usage.cost_usd == pytest.approx(dollars)


@pytest.mark.parametrize(
    "extra", [{"service_tier": "priority"}, {"speed": "fast"}, {"inference_geo": "us"}]
)
def test_dearer_service_has_no_known_price(loopback: Loopback, extra: dict[str, str]) -> None:
    loopback.script(anthropic_answer("ok", usage=anthropic_usage(10, 10) | extra))
    usage = anthropic_hosted(loopback).ask().usage
    assert (usage.input_tokens, usage.cost_usd) == (10, None)

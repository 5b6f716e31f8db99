"""The Chat Completions wire format, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernelwright.errors import ProviderError
from kernelwright.llm.base import Request
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.openai_chat import OpenAIChat
from kernelwright.llm.openai_sdk import is_openai
from kernelwright.llm.registry import open_model
from kernelwright.schema import Message, OpaquePart, TextPart
from tests.llm.conftest import KEY, LONG_S, openai_hosted
from tests.llm.conversation import PARAMETERS, SCHEMA, conversation
from tests.llm.loopback import (
    Loopback,
    Reply,
    openai_answer,
    openai_calls,
    openai_error,
    openai_usage,
)

TURNS = (
    Message(role="system", content="You write kernels.\n"),
    Message(role="user", content="  ünïcode \u2603 and\ttabs  "),
    Message(role="assistant", content="```python\nx = 1\n```"),
    Message(role="user", content="faster"),
)


def test_every_message_arrives_unchanged(loopback: Loopback) -> None:
    loopback.script(openai_answer("ok"))
    request = Request(messages=TURNS, max_tokens=77, temperature=0.25)
    openai_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    [asked] = loopback.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-4o",
        "messages": [turn.model_dump() for turn in TURNS],
        "max_tokens": 77,
        "temperature": 0.25,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_no_temperature_sends_none(loopback: Loopback) -> None:
    loopback.script(openai_answer("ok"))
    openai_hosted(loopback).ask()
    assert "temperature" not in loopback.asked[0].body


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://mine.openai.azure.com/openai/v1", True),
        ("http://127.0.0.1:8000/v1", False),
        ("https://notopenai.com/v1", False),
    ],
)
def test_openais_own_servers_are_known_by_their_host(url: str, expected: bool) -> None:
    assert is_openai(url) is expected


@pytest.mark.parametrize(
    ("finish_reason", "stop"),
    [
        ("stop", "end"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("tool_calls", "other"),
    ],
)
def test_why_it_stopped(loopback: Loopback, finish_reason: str, stop: str) -> None:
    loopback.script(openai_answer("half an ans", finish_reason=finish_reason))
    completion = openai_hosted(loopback).ask()
    assert (completion.stop, completion.text) == (stop, "half an ans")


def test_a_refusal_keeps_its_words(loopback: Loopback) -> None:
    loopback.script(openai_answer(None, refusal="I can't help with that."))
    completion = openai_hosted(loopback).ask()
    assert (completion.stop, completion.text) == ("refusal", "I can't help with that.")


def test_cached_tokens_cost_less(loopback: Loopback) -> None:
    loopback.script(openai_answer("ok", usage=openai_usage(1000, 100, cached=600)))
    completion = openai_hosted(loopback).ask()
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (1000, 100)
    assert completion.usage.cost_usd == pytest.approx((400 * 2.5 + 600 * 1.25 + 100 * 10) / 1e6)
    assert completion.model == "gpt-4o-2024-08-06"


def test_another_service_tier_has_no_known_price(loopback: Loopback) -> None:
    reply = openai_answer("ok", usage=openai_usage(10, 10))
    assert isinstance(reply.body, dict)
    reply.body["service_tier"] = "priority"
    loopback.script(reply)
    usage = openai_hosted(loopback).ask().usage
    assert (usage.input_tokens, usage.cost_usd) == (10, None)


def test_a_used_up_account_is_not_asked_again(loopback: Loopback) -> None:
    loopback.script(openai_error(429, "You exceeded your quota", code="insufficient_quota"))
    with pytest.raises(ProviderError, match="quota") as caught:
        openai_hosted(loopback).ask()
    assert caught.value.hint is not None and "credit" in caught.value.hint
    assert len(loopback.asked) == 1


THOUGHT = OpaquePart(provider="openai/chat", data={"reasoning_content": "hm"})
ALIEN = OpaquePart(provider="anthropic/messages", data={"type": "thinking"})


def test_tools_their_calls_and_results_arrive(loopback: Loopback) -> None:
    loopback.script(openai_answer("ok"))
    request = conversation(ALIEN, THOUGHT, answer_schema=SCHEMA, effort="high")
    openai_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    body = loopback.asked[0].body
    function = {"name": "check", "description": "Check the file.", "parameters": PARAMETERS}
    assert body["tools"] == [{"type": "function", "function": function}]
    calls = openai_calls(check='{"level": "fast"}') + openai_calls(check="{}")
    for call, id in zip(calls, ("c1", "c2"), strict=True):
        call["id"] = id
    spoken = {"role": "assistant", "content": "Let me see.", "tool_calls": calls}
    assert body["messages"][2:] == [
        {**spoken, "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "c1", "content": "right"},
        {"role": "tool", "tool_call_id": "c2", "content": "error: arguments are no JSON"},
    ]
    wanted = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert "reasoning_effort" not in body  # GPT-4o has no levels


def test_an_unknown_model_is_asked_for_an_effort_and_for_no_schema(loopback: Loopback) -> None:
    loopback.script(openai_answer("ok"))
    where = Endpoint("vllm", f"{loopback.url}/v1", "VLLM_API_KEY", "VLLM_BASE_URL", KEY)
    llm = OpenAIChat("openai-api/vllm/qwen", "qwen", where)
    request = conversation(THOUGHT, answer_schema=SCHEMA, effort="high")
    llm.complete(request, deadline_s=LONG_S)
    body = loopback.asked[0].body
    assert body["reasoning_effort"] == "high" and "response_format" not in body
    assert "reasoning_content" not in body["messages"][2]  # another server's thoughts


def test_parallel_calls_come_in_pieces(loopback: Loopback) -> None:
    long = json.dumps({"source": "x = 1\n" * 99})
    calls = openai_calls(write=long, check="{}")
    loopback.script(openai_answer("Now:", finish_reason="tool_calls", tool_calls=calls))
    found = openai_hosted(loopback).ask()
    assert (found.text, found.stop) == ("Now:", "tool_use")
    assert [(one.id, one.name, one.arguments) for one in found.tool_calls] == [
        ("call-write", "write", long),
        ("call-check", "check", "{}"),
    ]
    assert found.message.parts == (TextPart(text="Now:"), *found.tool_calls)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": finish}]}


def piece(index: int | None, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return chunk(tool_calls=[{"index": index, "id": id, "function": function}])


TWO = [("a", "check", '{"n": 1}'), ("b", "check", '{"n": 2}')]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            [
                piece(0, "a", "check", '{"n"'),
                piece(1, "b", "check", ""),
                piece(0, None, None, ": 1}"),
                piece(1, None, None, '{"n": 2}'),
            ],
            TWO,
        ),
        ([piece(0, "a", "check", '{"n": 1}'), piece(0, "b", "check", '{"n": 2}')], TWO),
        ([piece(None, "a", "check", '{"n": 1}'), piece(None, "b", "check", '{"n": 2}')], TWO),
        ([piece(0, "a", "check", '{"n": 1}')] * 2 + [piece(1, "b", "check", '{"n": 2}')], TWO),
        (
            [piece(0, "a", "check", '{"n"'), piece(0, "a", "check", ": 1}")],
            TWO[:1],
        ),
        (
            [piece(None, None, "check", "{}")] * 2,
            [("call_1", "check", "{}"), ("call_2", "check", "{}")],
        ),
        ([piece(0, "a", "check", '{"n": ')], [("a", "check", '{"n": ')]),
    ],
    ids="mixed all-0 unnumbered twice id-in-each no-id cut".split(),
)
def test_calls_are_put_together_as_servers_send_them(
    loopback: Loopback, pieces: list[Any], expected: list[tuple[str, str, str]]
) -> None:
    loopback.script(Reply(events=[*pieces, chunk("tool_calls")]))
    found = openai_hosted(loopback).ask()
    assert [(one.id, one.name, one.arguments) for one in found.tool_calls] == expected
    assert found.stop == "tool_use" and found.text == ""


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_in_a_field_of_their_own_are_kept_and_are_no_text(
    loopback: Loopback, field: str
) -> None:
    thoughts: dict[str, Any] = {field: "a draft"}
    loopback.script(openai_answer("The </think> tag.", **thoughts))
    found = openai_hosted(loopback).ask()
    assert found.text == "The </think> tag."
    thought = OpaquePart(provider="openai/chat", data={field: "a draft"})
    assert found.parts == (thought, TextPart(text=found.text))


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<think>draft</think>\n\nfinal", "final"),
        ("draft</think>final", "final"),
        ("<think>cut off", ""),
    ],
)
def test_inline_thoughts_are_no_text(loopback: Loopback, said: str, text: str) -> None:
    loopback.script(openai_answer(said, finish_reason="length"))
    found = openai_hosted(loopback).ask()
    assert (found.text, found.parts, found.stop) == (text, (), "max_tokens")


def test_what_a_server_does_not_count_is_unknown(loopback: Loopback) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    loopback.script(openai_answer("ok", usage=usage))
    found = openai_hosted(loopback).ask().usage
    assert (found.input_tokens, found.cached_input_tokens) == (9, None)
    loopback.script(openai_answer("ok", usage=openai_usage(9, 1, cached=8)))
    assert openai_hosted(loopback).ask().usage.cached_share == pytest.approx(8 / 9)


def test_a_service_is_not_told_the_openai_organization(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("MY_VLLM_API_KEY", "none")
    monkeypatch.setenv("MY_VLLM_BASE_URL", f"{loopback.url}/v1")
    loopback.script(openai_answer("ok", usage=openai_usage(10, 10), model="qwen"))
    llm = open_model("openai-api/my-vllm/qwen/coder:30b")
    completion = llm.complete(Request(messages=TURNS, max_tokens=9), deadline_s=LONG_S)
    assert llm.name == "openai-api/my-vllm/qwen/coder:30b"
    assert loopback.asked[0].body["model"] == "qwen/coder:30b"
    assert not any("secret" in value for value in loopback.asked[0].headers.values())
    assert completion.usage.cost_usd is None

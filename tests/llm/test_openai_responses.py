"""The Responses wire format, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from kernelwright.llm.base import Request
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.openai_chat import OpenAIChat
from kernelwright.llm.openai_responses import OpenAIResponses
from kernelwright.llm.registry import open_model
from kernelwright.schema import Message, OpaquePart, TextPart, ToolCall
from tests.llm.conftest import KEY, LONG_S, responses_hosted
from tests.llm.conversation import PARAMETERS, SCHEMA, conversation
from tests.llm.loopback import Loopback, Reply, responses_answer, responses_usage
from tests.llm.streams import events_of

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "check"}
MAKER = "openai/responses"


def test_a_plain_request(loopback: Loopback) -> None:
    loopback.script(responses_answer("ok"))
    turns = (
        Message(role="system", content="You write kernels.\n"),
        Message(role="user", content="  \u2603 and\ttabs  "),
        Message(role="assistant", content="x = 1"),
        Message(role="user", content="faster"),
    )
    request = Request(messages=turns, max_tokens=77, temperature=0.25, cache_key="run/task")
    responses_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    [asked] = loopback.asked
    assert asked.path == "/v1/responses"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-5",
        "input": [{"role": turn.role, "content": turn.content} for turn in turns],
        "max_output_tokens": 77,
        "temperature": 0.25,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "run/task",
    }


def test_tools_thoughts_calls_and_results_arrive(loopback: Loopback) -> None:
    loopback.script(responses_answer("ok"))
    opaque = (
        OpaquePart(provider="anthropic/messages", data={"type": "thinking"}),
        OpaquePart(provider=MAKER, data=REASONING),
        OpaquePart(provider=MAKER, data={"phase": "commentary"}),
    )
    request = conversation(*opaque, answer_schema=SCHEMA, effort="max")
    responses_hosted(loopback).llm.complete(request, deadline_s=LONG_S)
    body = loopback.asked[0].body
    tool = {"name": "check", "description": "Check the file.", "parameters": PARAMETERS}
    assert body["tools"] == [{"type": "function", "strict": False, **tool}]
    call = {"type": "function_call", "name": "check"}
    result = {"type": "function_call_output"}
    assert body["input"][2:] == [
        REASONING,
        {"role": "assistant", "content": "Let me see.", "phase": "commentary"},
        {**call, "call_id": "c1", "arguments": '{"level": "fast"}'},
        {**call, "call_id": "c2", "arguments": "{}"},
        {**result, "call_id": "c1", "output": "right"},
        {**result, "call_id": "c2", "output": "error: arguments are no JSON"},
    ]
    form = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
    assert body["text"] == {"format": form}
    assert body["reasoning"] == {"effort": "high"}  # the highest that GPT-5 has


def test_a_model_without_thoughts_is_asked_for_none(loopback: Loopback) -> None:
    loopback.script(responses_answer("ok"))
    where = Endpoint("openai", f"{loopback.url}/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", KEY)
    llm = OpenAIResponses("openai/gpt-4o", "gpt-4o", where)
    llm.complete(conversation(effort="high"), deadline_s=LONG_S)
    body = loopback.asked[0].body
    assert not {"include", "reasoning", "temperature", "prompt_cache_key", "text"} & set(body)


def test_an_answer_with_thoughts_and_parallel_calls(loopback: Loopback) -> None:
    calls = [
        {**CALL, "arguments": '{"level": "fast"}'},
        {**CALL, "id": "fc_2", "call_id": "c2", "arguments": "{}"},
    ]
    reply = responses_answer("Now:", items=[{**REASONING, "status": None}, *calls])
    assert isinstance(reply.body, dict)
    reply.body["output"][-1]["phase"] = "commentary"
    loopback.script(reply)
    found = responses_hosted(loopback).ask()
    assert (found.text, found.stop) == ("Now:", "tool_use")
    assert found.tool_calls == (
        ToolCall(id="c1", name="check", arguments='{"level": "fast"}'),
        ToolCall(id="c2", name="check", arguments="{}"),
    )
    assert found.parts[0] == OpaquePart(provider=MAKER, data=REASONING)
    assert found.parts[-2:] == (
        OpaquePart(provider=MAKER, data={"phase": "commentary"}),
        TextPart(text="Now:"),
    )


def test_items_are_known_without_the_summary_at_the_end(loopback: Loopback) -> None:
    body = responses_answer("fine", items=[{**CALL, "arguments": "{}"}]).body
    assert isinstance(body, dict)
    events = events_of("/v1/responses", body)
    assert events is not None
    events[-1] = {**events[-1], "response": {**body, "output": []}}
    loopback.script(Reply(events=events))
    found = responses_hosted(loopback).ask()
    assert (found.text, len(found.tool_calls)) == ("fine", 1)


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ({}, "end"),
        ({"status": "incomplete", "reason": "max_output_tokens"}, "max_tokens"),
        ({"status": "incomplete", "reason": "content_filter"}, "refusal"),
        ({"status": "incomplete", "reason": "steered"}, "other"),
    ],
)
def test_why_it_stopped(loopback: Loopback, said: dict[str, Any], stop: str) -> None:
    loopback.script(responses_answer("half an ans", **said))
    found = responses_hosted(loopback).ask()
    assert (found.stop, found.text, found.parts) == (stop, "half an ans", ())


def test_a_refusal_keeps_its_words(loopback: Loopback) -> None:
    loopback.script(responses_answer(None, refusal="I can't help with that."))
    found = responses_hosted(loopback).ask()
    assert (found.stop, found.text) == ("refusal", "I can't help with that.")


def test_cached_tokens_are_counted_and_cost_less(loopback: Loopback) -> None:
    loopback.script(responses_answer("ok", usage=responses_usage(1000, 100, cached=600)))
    usage = responses_hosted(loopback).ask().usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_share) == (1000, 100, 0.6)
    assert usage.cost_usd == pytest.approx((400 * 1.25 + 600 * 0.125 + 100 * 10) / 1e6)


def test_a_failed_response_says_why(loopback: Loopback) -> None:
    failed = responses_answer("half", status="failed")
    assert isinstance(failed.body, dict)
    failed.body["error"] = {"code": "server_error", "message": "the model crashed"}
    loopback.script(failed, responses_answer("whole"))
    assert responses_hosted(loopback).ask().text == "whole"
    assert len(loopback.asked) == 2


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("", OpenAIResponses),
        ("https://eu.api.openai.com/v1", OpenAIResponses),
        ("http://127.0.0.1:8000/v1", OpenAIChat),
    ],
)
def test_the_address_decides_by_which_api_a_model_is_asked(
    address: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    assert type(open_model("openai/some-model")) is kind
    monkeypatch.setenv("MINE_API_KEY", KEY)
    monkeypatch.setenv("MINE_BASE_URL", address or "https://api.openai.com/v1")
    assert type(open_model("openai-api/mine/some-model")) is OpenAIChat

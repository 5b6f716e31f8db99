"""The Chat Completions wire format, both ways."""

from __future__ import annotations

import pytest

from kernelwright.errors import ProviderError
from kernelwright.llm.base import Request
from kernelwright.llm.openai_client import takes_max_completion_tokens
from kernelwright.llm.registry import open_model
from kernelwright.schema import Message
from tests.llm.conftest import KEY, LONG_S, openai_hosted
from tests.llm.loopback import Loopback, openai_answer, openai_error, openai_usage

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
def test_only_openai_gets_the_new_token_limit(url: str, expected: bool) -> None:
    assert takes_max_completion_tokens(url) is expected


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

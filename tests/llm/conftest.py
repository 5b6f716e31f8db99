"""A loopback provider per test, and the hosted models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kernelwright.llm.anthropic_client import AnthropicMessages
from kernelwright.llm.base import LLM, Completion, Request
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.openai_chat import OpenAIChat
from kernelwright.llm.openai_responses import OpenAIResponses
from kernelwright.llm.retry import RetryPolicy
from kernelwright.schema import Message, ToolCall
from tests.llm.loopback import (
    Loopback,
    Reply,
    anthropic_answer,
    anthropic_calling,
    anthropic_error,
    anthropic_usage,
    openai_answer,
    openai_calling,
    openai_error,
    openai_usage,
    responses_answer,
    responses_calling,
    responses_usage,
)

KEY = "sk-secret-0123456789"
QUICK = RetryPolicy(tries=4, first_wait_s=0.01, longest_wait_s=0.02)
LONG_S = 60.0
"""A deadline that no test reaches."""
QUESTION = Request(messages=(Message(role="user", content="hello"),), max_tokens=16)


@pytest.fixture(autouse=True)
def no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the machine's own settings for providers and proxies from the environment."""
    for prefix in ("OPENAI", "ANTHROPIC"):
        for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "CUSTOM_HEADERS"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """Yield a server that lives as long as the test."""
    server = Loopback()
    yield server
    server.close()


@dataclass(frozen=True)
class Hosted:
    """A provider's client, connected to the loopback, with its wire format."""

    llm: LLM
    loopback: Loopback
    key_variable: str
    answer: Callable[..., Reply]
    error: Callable[..., Reply]
    usage: Callable[..., dict[str, Any]]
    """Makes token counts: asked, answered, and of the asked ones, cached."""
    calls: Callable[[Sequence[ToolCall]], Reply]
    """Makes an answer of tool calls alone."""

    def ask(self, deadline_s: float = LONG_S) -> Completion:
        """Ask the model a fixed question."""
        return self.llm.complete(QUESTION, deadline_s=deadline_s)


def openai_hosted(server: Loopback, policy: RetryPolicy = QUICK) -> Hosted:
    """Return a client for GPT-4o at the loopback."""
    where = Endpoint("openai", f"{server.url}/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", KEY)
    llm = OpenAIChat("openai/gpt-4o", "gpt-4o", where, policy)
    return Hosted(
        llm, server, where.key_variable, openai_answer, openai_error, openai_usage, openai_calling
    )


def responses_hosted(server: Loopback, policy: RetryPolicy = QUICK) -> Hosted:
    """Return a client for GPT-5 at the loopback, by the Responses API."""
    where = Endpoint("openai", f"{server.url}/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", KEY)
    llm = OpenAIResponses("openai/gpt-5", "gpt-5", where, policy)
    return Hosted(
        llm,
        server,
        where.key_variable,
        responses_answer,
        openai_error,
        responses_usage,
        responses_calling,
    )


def anthropic_hosted(server: Loopback, policy: RetryPolicy = QUICK) -> Hosted:
    """Return a client for Claude Haiku 4.5 at the loopback."""
    where = Endpoint("anthropic", server.url, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", KEY)
    llm = AnthropicMessages("anthropic/claude-haiku-4-5", "claude-haiku-4-5", where, policy)
    return Hosted(
        llm,
        server,
        where.key_variable,
        anthropic_answer,
        anthropic_error,
        anthropic_usage,
        anthropic_calling,
    )


CONNECT = {
    "openai": openai_hosted,
    "responses": responses_hosted,
    "anthropic": anthropic_hosted,
}


@pytest.fixture(params=list(CONNECT))
def hosted(request: pytest.FixtureRequest, loopback: Loopback) -> Hosted:
    """Return a client for each provider in turn."""
    return CONNECT[request.param](loopback)

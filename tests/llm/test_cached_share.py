"""A conversation with tools finds all of its past in the provider's cache."""

from __future__ import annotations

import json

from kernelwright.llm.base import Request
from kernelwright.schema import Message, ToolCall, ToolResult, Usage
from tests.llm.conftest import LONG_S, Hosted
from tests.llm.conversation import TOOL
from tests.llm.loopback import Asked, Reply, anthropic_usage
from tests.llm.prefixes import PrefixCache

CALLS = 10
LEAST = 0.7
"""Share of the input tokens of ten calls that is cached at least."""


def test_most_of_a_conversation_is_cached_and_counted(hosted: Hosted) -> None:
    cache, marks = PrefixCache(), "anthropic" in hosted.llm.name

    def respond(asked: Asked) -> Reply:
        tokens, cached, _ = cache.counted(asked)
        number = len(hosted.loopback.asked)
        written = json.dumps({"source": f"x = {number}\n" * 200})
        reply = hosted.calls([ToolCall(id=f"c{number}", name="check", arguments=written)])
        assert isinstance(reply.body, dict)
        plain = anthropic_usage(tokens - cached, 9, read=cached)
        reply.body["usage"] = plain if marks else hosted.usage(tokens, 9, cached)
        return reply

    hosted.loopback.respond = respond
    messages: tuple[Message, ...] = (
        Message(role="system", content="You write kernels. " * 200),
        Message(role="user", content="The task is this. " * 300),
    )
    total = Usage.zero()
    for number in range(CALLS):
        request = Request(messages=messages, max_tokens=99, tools=(TOOL,), cache_key="run/task")
        found = hosted.llm.complete(request, deadline_s=LONG_S)
        total += found.usage
        assert (number == 0) is (found.usage.cached_input_tokens == 0)
        results = tuple(
            ToolResult(call_id=call.id, text="wrong at [0, 3]\n" * 80) for call in found.tool_calls
        )
        messages = (*messages, found.message, Message(role="user", content=results))
    assert total.cached_share is not None and total.cached_share >= LEAST

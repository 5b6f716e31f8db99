"""A scripted engineer behind a loopback provider: it plans, and works with tools by a list."""

from __future__ import annotations

import json
import re
from typing import Any

from kernelwright.schema import ToolCall
from tests.agents.episode.kit import Calls
from tests.agents.model_kit import DIAGNOSIS, PLAN, role_of
from tests.llm.conftest import Hosted
from tests.llm.loopback import Asked, Reply

TOLD = re.compile(r"\[\d+ of \d+ calls, |That was no tool call")
"""The sign of a turn in what the coder was told of it."""
ASKED, ANSWERED = 1000, 100
"""Tokens of every call."""

Turn = Calls | str | Reply


class Engineer:
    """Answers by the question alone, in the wire format of a provider.

    Planner and profiler always say the same. The coder's n-th answer of a conversation is the n-th
    of its turns, calls or a text; the last one comes again and again.
    """

    def __init__(self, hosted: Hosted, *turns: Turn) -> None:
        self._hosted = hosted
        self._turns = turns

    def __call__(self, asked: Asked) -> Reply:
        """Answer a request."""
        role = role_of(asked)
        if role != "coder":
            return said(self._hosted, PLAN if role == "planner" else DIAGNOSIS)
        return said(self._hosted, self._turns[min(turns_taken(asked), len(self._turns) - 1)])


def said(hosted: Hosted, turn: Turn) -> Reply:
    """Return a turn as a provider's answer, which tells its tokens."""
    if isinstance(turn, Reply):
        return turn
    usage = hosted.usage(ASKED, ANSWERED)
    if isinstance(turn, str):
        return hosted.answer(turn, usage=usage)
    calls = [
        ToolCall(
            id=f"call-{place}",
            name=name,
            arguments=given if isinstance(given, str) else json.dumps(given),
        )
        for place, (name, given) in enumerate(turn)
    ]
    reply = hosted.calls(calls)
    assert isinstance(reply.body, dict)
    reply.body["usage"] = usage
    return reply


def turns_taken(asked: Asked) -> int:
    """Return how many answers of the coder a conversation has."""
    return len(TOLD.findall(json.dumps(asked.body)))


def results_of(asked: Asked) -> list[str]:
    """Return the tools' results of a conversation, in order, as they lie on the wire."""
    return [
        str(part.get("output", part.get("content")))
        for part in _parts(asked.body)
        if part.get("role") == "tool" or part.get("type") in ("function_call_output", "tool_result")
    ]


def words_of(asked: Asked) -> str:
    """Return a conversation without tool calls and tools' results."""
    kinds = ("function_call", "function_call_output", "tool_use", "tool_result")
    return "\n".join(
        str(part.get("text", part.get("content")))
        for part in _parts(asked.body)
        if part.get("role") != "tool" and part.get("type") not in kinds
    )


def _parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return messages, or the blocks of those that consist of blocks."""
    messages = [*body.get("system", ()), *(body.get("messages") or body["input"])]
    nested = [m["content"] if isinstance(m.get("content"), list) else [m] for m in messages]
    return [part for parts in nested for part in parts]

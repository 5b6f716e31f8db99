"""A conversation with tools, as every provider is shown it."""

from __future__ import annotations

from typing import Any

from kernelwright.llm.base import Request, Tool
from kernelwright.schema import Message, OpaquePart, TextPart, ToolCall, ToolResult

PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"level": {"type": "string"}}}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"fix": {"type": "string"}}}
TOOL = Tool(name="check", description="Check the file.", parameters=PARAMETERS)
CALL = ToolCall(id="c1", name="check", arguments='{"level": "fast"}')
TORN = ToolCall(id="c2", name="check", arguments='{"level": ')


def conversation(*opaque: OpaquePart, **changes: Any) -> Request:
    """Return a request with two calls, one of them torn, and their results.

    Args:
        opaque: parts before the words of the model.
        changes: other fields of the request.
    """
    spoken = (*opaque, TextPart(text="Let me see."), CALL, TORN)
    results = (
        ToolResult(call_id="c1", text="right"),
        ToolResult(call_id="c2", text="arguments are no JSON", is_error=True),
    )
    messages = (
        Message(role="system", content="You write kernels."),
        Message(role="user", content="Write one."),
        Message(role="assistant", content=spoken),
        Message(role="user", content=results),
    )
    return Request(messages=messages, max_tokens=99, tools=(TOOL,), **changes)

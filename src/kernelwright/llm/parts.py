"""Parts of messages on their way to a provider."""

from __future__ import annotations

import json
from typing import Any

from kernelwright.schema import Message, OpaquePart, Part, TextPart, ToolCall, ToolResult

ANSWER = "answer"
"""Name of the schema of an answer, which some providers want."""


def whole_characters(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair.

    JSON can hold a half, but it could be neither hashed, stored nor sent.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_of_whole_characters(text: str) -> str:
    """Return JSON with U+FFFD for each half of a surrogate pair; anything else as it is."""
    if "\\ud" not in text.lower():
        return text
    try:
        return whole_characters(json.dumps(json.loads(text), ensure_ascii=False))
    except (ValueError, RecursionError):
        return text


def beyond_text(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return an answer's parts; none where it is text alone, which a completion has already."""
    return parts if any(not isinstance(part, TextPart) for part in parts) else ()


def texts(message: Message) -> str:
    """Return the words of a message alone."""
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def own_data(message: Message, maker: str) -> list[dict[str, Any]]:
    """Return the opaque parts that a provider has made itself, in its own form."""
    opaque = (part for part in message.parts if isinstance(part, OpaquePart))
    return [part.data for part in opaque if part.provider == maker]


def arguments_object(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments; empty where they are no JSON object, which no provider takes."""
    try:
        found = json.loads(json_of_whole_characters(call.arguments))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def arguments_of(call: ToolCall) -> str:
    """Return a call's arguments as JSON text: as the model wrote them where they are an object."""
    return call.arguments if arguments_object(call) else "{}"


def result_text(result: ToolResult) -> str:
    """Return a tool's result for an API that has no mark for errors."""
    return f"error: {result.text}" if result.is_error else result.text

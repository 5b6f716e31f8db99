"""Answers in one piece as the events that providers stream them in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

Events = list[dict[str, Any]]


def events_of(path: str, body: dict[str, Any]) -> Events | None:
    """Return the events of a whole answer; None where it is none of the API at `path`."""
    if path.endswith("/chat/completions") and body.get("choices"):
        return list(_chat(body))
    if path.endswith("/responses") and "output" in body:
        return [{**one, "sequence_number": n} for n, one in enumerate(_responses(body))]
    if path.endswith("/messages") and isinstance(body.get("content"), list):
        return list(_messages(body))
    return None


def encoded(events: Iterable[object]) -> list[bytes]:
    """Return events as they lie on the wire, and the mark of the end that OpenAI's have."""
    sent = []
    for event in events:
        named = isinstance(event, dict) and "type" in event
        name = f"event: {event['type']}\n" if isinstance(event, dict) and named else ""
        sent.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    return [*sent, b"data: [DONE]\n\n"]


def pieces(text: str) -> list[str]:
    """Return a text in about twenty pieces, at least seven characters each."""
    size = max(7, len(text) // 20)
    return [text[i : i + size] for i in range(0, len(text), size)]


def _chat(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    choice = body["choices"][0]
    message = choice["message"]
    rest = {k: v for k, v in body.items() if k not in ("choices", "usage", "object")}
    rest["object"] = "chat.completion.chunk"

    def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
        return {**rest, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk(role="assistant", content="" if message.get("content") is not None else None)
    for field in ("reasoning_content", "reasoning", "content", "refusal"):
        for piece in pieces(message.get(field) or ""):
            yield chunk(**{field: piece})
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        first = {**call, "index": index, "function": {**function, "arguments": ""}}
        yield chunk(tool_calls=[first])
        for piece in pieces(function["arguments"]):
            yield chunk(tool_calls=[{"index": index, "function": {"arguments": piece}}])
    yield chunk(choice["finish_reason"])
    if "usage" in body:
        yield {**rest, "choices": [], "usage": body["usage"]}


def _responses(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": {**body, "status": "in_progress", "output": []}}
    for index, item in enumerate(body["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        where = {"output_index": index, "item_id": item["id"]}
        for part in item.get("content") or ():
            for piece in pieces(part.get("text") or ""):
                yield {"type": "response.output_text.delta", "delta": piece, **where}
            for piece in pieces(part.get("refusal") or ""):
                yield {"type": "response.refusal.delta", "delta": piece, **where}
        for piece in pieces(item.get("arguments") or ""):
            yield {"type": "response.function_call_arguments.delta", "delta": piece, **where}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{body['status']}", "response": body}


def _messages(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**body, "content": [], "stop_reason": None}
    if "usage" in body:
        begun["usage"] = {**body["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(body["content"]):
        yield {"type": "ping"}
        empty = {"text": "", "thinking": "", "signature": "", "input": {}}
        start = {name: empty.get(name, value) for name, value in block.items()}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = {"output_tokens": body["usage"]["output_tokens"]} if "usage" in body else None
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": usage}
    yield {"type": "message_stop"}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for piece in pieces(block.get("text") or ""):
        yield {"type": "text_delta", "text": piece}
    for piece in pieces(block.get("thinking") or ""):
        yield {"type": "thinking_delta", "thinking": piece}
    if "signature" in block:
        yield {"type": "signature_delta", "signature": block["signature"]}
    if "input" in block:
        for piece in pieces(json.dumps(block["input"])):
            yield {"type": "input_json_delta", "partial_json": piece}

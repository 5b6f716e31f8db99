"""An answer of the Messages API, put together from its events."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from kernelwright.llm.base import Completion, Stop
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import stream_fault
from kernelwright.llm.parts import beyond_text
from kernelwright.llm.prices import counted
from kernelwright.llm.stream import Reader
from kernelwright.schema import OpaquePart, Part, TextPart, ToolCall, Usage

MAKER = "anthropic/messages"
"""Tag of what only this API understands."""
_STOPS: dict[str | None, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
    "tool_use": "tool_use",
}
# Fields of deltas that add to a field of their block.
_ADDS = {"text": "text", "thinking": "thinking", "partial_json": "json"}


class _Usage(BaseModel):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None

    @property
    def at_list_price(self) -> bool:
        """Whether the list prices apply: faster service and fixed regions cost more."""
        return (
            self.service_tier in (None, "standard")
            and self.speed in (None, "standard")
            and self.inference_geo in (None, "global", "not_available")
        )


class _Message(BaseModel):
    content: list[dict[str, Any]]
    stop_reason: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class Event(BaseModel):
    """The part of an event that is used."""

    type: str
    message: _Message | None = None
    index: int = 0
    content_block: dict[str, Any] | None = None
    delta: dict[str, Any] = {}
    usage: _Usage | None = None
    error: Any = None


class _Block:
    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.added: dict[str, list[str]] = {}

    def part(self) -> Part | None:
        """Return the block as a part; None for thoughts that were cut off, which can't go back."""
        whole = {name: "".join(pieces) for name, pieces in self.added.items()}
        kind = self.given.get("type")
        if kind == "text":
            return TextPart(text=self.given.get("text", "") + whole.get("text", ""))
        if kind == "tool_use":
            arguments = whole.get("json") or json.dumps(self.given.get("input", {}))
            return ToolCall(
                id=self.given.get("id", ""), name=self.given.get("name", ""), arguments=arguments
            )
        data = {**self.given, **{name: self.given.get(name, "") + whole[name] for name in whole}}
        if kind == "thinking" and not data.get("signature"):
            return None
        return OpaquePart(provider=MAKER, data=data)


class AnthropicAnswer(Reader[Event]):
    """An answer of the Messages API."""

    event = Event

    def __init__(self, endpoint: Endpoint, name: str, model: str) -> None:
        """Start an empty answer.

        Args:
            name: of the model, as the price table has it.
            model: the provider's own name of it.
        """
        self._endpoint, self._name, self._model = endpoint, name, model
        self._blocks: dict[int, _Block] = {}
        self._stop: str | None = None
        self._usage = _Usage()

    def whole(self, text: str) -> str:
        """See `Reader.whole`."""
        return f'{{"type": "message_start", "message": {text}}}'

    def take(self, event: Event) -> str:
        """See `Reader.take`. A beginning that comes again starts its part anew."""
        if event.type == "error" or event.error:
            raise stream_fault(self._endpoint, event.error)
        if event.message is not None:
            self._start(event.message)
        elif event.content_block is not None:
            self._blocks[event.index] = _Block(event.content_block)
        elif event.type == "content_block_delta":
            return self._add(event.index, event.delta)
        elif event.type == "message_delta":
            self._end(event.delta.get("stop_reason"), event.usage)
        return ""

    def _start(self, message: _Message) -> None:
        self._model = message.model or self._model
        self._blocks = {number: _Block(given) for number, given in enumerate(message.content)}
        self._end(message.stop_reason, message.usage)

    def _end(self, stop: str | None, usage: _Usage | None) -> None:
        self._stop = stop or self._stop
        self.is_whole = self._stop is not None
        counted = usage.model_dump(exclude_none=True) if usage else {}
        self._usage = self._usage.model_copy(update=counted)

    def _add(self, index: int, delta: dict[str, Any]) -> str:
        block = self._blocks.setdefault(index, _Block({"type": "text"}))
        if "signature" in delta:
            block.given["signature"] = delta["signature"]
        for name, field in _ADDS.items():
            if piece := delta.get(name):
                block.added.setdefault(field, []).append(piece)
                self.characters += len(piece)
        return delta.get("text") or ""

    def completion(self, stopped: bool) -> Completion:
        """See `Reader.completion`."""
        made = (block.part() for _, block in sorted(self._blocks.items()))
        parts = tuple(part for part in made if part is not None)
        return Completion(
            text="".join(part.text for part in parts if isinstance(part, TextPart)),
            stop="stopped" if stopped else _STOPS.get(self._stop, "other"),
            usage=Usage() if stopped else _counted(self._name, self._usage),
            model=self._model,
            parts=beyond_text(parts),
        )


def _counted(name: str, usage: _Usage) -> Usage:
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    # The provider counts cached tokens apart from the others.
    own = usage.input_tokens
    total = None if own is None else own + (read or 0) + (written or 0)
    return counted(name, total, usage.output_tokens, read, written, usage.at_list_price)

"""An answer of the Responses API, put together from its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from kernelwright.llm.base import Completion, Stop
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import stream_fault
from kernelwright.llm.parts import beyond_text
from kernelwright.llm.prices import counted
from kernelwright.llm.stream import Reader
from kernelwright.schema import OpaquePart, Part, TextPart, ToolCall, Usage

MAKER = "openai/responses"
"""Tag of what only this API understands."""
PHASE = "phase"
"""A message's mark as commentary or answer, which has to go back with it."""
_DELTAS = frozenset(
    f"response.{kind}.delta"
    for kind in (
        *("output_text", "refusal", "function_call_arguments"),
        *("reasoning_text", "reasoning_summary_text"),
    )
)
_TEXT = "response.output_text.delta"
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Words(BaseModel):
    text: str | None = None
    refusal: str | None = None


class _Item(BaseModel, extra="allow"):
    type: str
    content: list[_Words] | None = None
    phase: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _InputDetails(BaseModel):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(BaseModel):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None


class _Incomplete(BaseModel):
    reason: str | None = None


class _Response(BaseModel):
    status: str
    model: str | None = None
    output: list[_Item] = []
    incomplete_details: _Incomplete | None = None
    error: Any = None
    usage: _Usage | None = None
    service_tier: str | None = None


class Event(BaseModel):
    """The part of an event that is used."""

    type: str
    sequence_number: int | None = None
    delta: Any = None
    output_index: int = 0
    item: _Item | None = None
    response: _Response | None = None
    error: Any = None
    code: str | None = None
    message: str | None = None


class ResponsesAnswer(Reader[Event]):
    """An answer of the Responses API; its last event says everything once more."""

    event = Event

    def __init__(self, endpoint: Endpoint, name: str, model: str) -> None:
        """Start an empty answer.

        Args:
            name: of the model, as the price table has it.
            model: the provider's own name of it.
        """
        self._endpoint, self._name, self._model = endpoint, name, model
        self._said: list[str] = []
        self._items: dict[int, _Item] = {}
        self._end: _Response | None = None
        self._last = -1
        """Number of the last event: one that comes again is not taken again."""

    def whole(self, text: str) -> str:
        """See `Reader.whole`."""
        return f'{{"type": "response.completed", "response": {text}}}'

    def take(self, event: Event) -> str:
        """See `Reader.take`."""
        if event.sequence_number is not None:
            if event.sequence_number <= self._last:
                return ""
            self._last = event.sequence_number
        if event.type == "error":
            raise stream_fault(self._endpoint, event.error or event.model_dump())
        if event.item is not None and event.type == "response.output_item.done":
            self._items[event.output_index] = event.item
        if event.response is not None:
            self._model = event.response.model or self._model
            if event.type in _ENDS:
                self._take_end(event.response)
        if event.type not in _DELTAS:
            return ""
        self.characters += len(str(event.delta))
        piece = str(event.delta) if event.type == _TEXT else ""
        self._said.append(piece)
        return piece

    def _take_end(self, response: _Response) -> None:
        if response.error:
            raise stream_fault(self._endpoint, response.error)
        self._end = response
        self.is_whole = True

    def completion(self, stopped: bool) -> Completion:
        """See `Reader.completion`."""
        if stopped or self._end is None:
            said = "".join(self._said)
            return Completion(text=said, stop="stopped", usage=Usage(), model=self._model)
        items = self._end.output or [item for _, item in sorted(self._items.items())]
        words = [one for item in items for one in item.content or () if item.type == "message"]
        text = "".join(one.text or "" for one in words)
        refusal = "".join(one.refusal or "" for one in words)
        parts = tuple(part for item in items for part in _parts(item))
        return Completion(
            text=text or refusal,
            stop="refusal" if refusal else self._stop(self._end, parts),
            usage=_usage(self._name, self._end),
            model=self._model,
            parts=beyond_text(parts),
        )

    @staticmethod
    def _stop(end: _Response, parts: tuple[Part, ...]) -> Stop:
        if end.status == "completed":
            return "tool_use" if any(isinstance(part, ToolCall) for part in parts) else "end"
        reasons: dict[str | None, Stop] = {
            "max_output_tokens": "max_tokens",
            "content_filter": "refusal",
        }
        details = end.incomplete_details
        return reasons.get(details.reason if details else None, "other")


def _parts(item: _Item) -> Iterator[Part]:
    if item.type == "function_call":
        yield ToolCall(id=item.call_id, name=item.name, arguments=item.arguments)
    elif item.type == "message":
        if item.phase is not None:
            yield OpaquePart(provider=MAKER, data={PHASE: item.phase})
        yield from (TextPart(text=one.text) for one in item.content or () if one.text)
    elif item.type == "reasoning":
        given = item.model_dump(exclude_unset=True, exclude_none=True, exclude={"status"})
        yield OpaquePart(provider=MAKER, data=given)


def _usage(name: str, end: _Response) -> Usage:
    usage = end.usage or _Usage()
    details = usage.input_tokens_details or _InputDetails()
    return counted(
        name,
        usage.input_tokens,
        usage.output_tokens,
        details.cached_tokens,
        details.cache_write_tokens,
        at_list_price=end.service_tier in (None, "default"),
    )

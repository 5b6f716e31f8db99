"""An answer of the Chat Completions API, put together from its chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from kernelwright.llm.base import Completion, Stop
from kernelwright.llm.chat_calls import CallPiece, Calls
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import stream_fault
from kernelwright.llm.parts import beyond_text
from kernelwright.llm.prices import counted
from kernelwright.llm.stream import Reader
from kernelwright.llm.thoughts import Thoughts, without_unopened
from kernelwright.schema import OpaquePart, Part, TextPart, Usage

_STOPS: dict[str | None, Stop] = {
    "stop": "end",
    "length": "max_tokens",
    "content_filter": "refusal",
}


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallPiece] | None = None


class _Choice(BaseModel):
    delta: _Said | None = None
    message: _Said | None = None
    """In the place of `delta` where a server doesn't stream."""
    finish_reason: str | None = None


class _InputDetails(BaseModel):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None


class Chunk(BaseModel):
    """The part of a chunk that is used; compatible servers leave out the rest."""

    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    service_tier: str | None = None
    error: Any = None


class ChatAnswer(Reader[Chunk]):
    """An answer of a chat model. Thoughts are no text, wherever the server puts them."""

    event = Chunk

    def __init__(self, endpoint: Endpoint, name: str, model: str, maker: str) -> None:
        """Start an empty answer.

        Args:
            name: of the model, as the price table has it.
            model: the provider's own name of it.
            maker: tag of the thoughts.
        """
        self._endpoint, self._name, self._model, self._maker = endpoint, name, model, maker
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._inline, self._calls = Thoughts(), Calls()
        self._thoughts: dict[str, list[str]] = {}
        """By the name of the field that they came in."""
        self._finish: str | None = None
        self._usage = _Usage()
        self._tier: str | None = None

    def take(self, event: Chunk) -> str:
        """See `Reader.take`. Counts of tokens and the end may come more than once."""
        if event.error:
            raise stream_fault(self._endpoint, event.error)
        self._model = event.model or self._model
        self._usage = event.usage or self._usage
        self._tier = event.service_tier or self._tier
        return self._take_choice(event.choices[0]) if event.choices else ""

    def _take_choice(self, choice: _Choice) -> str:
        said = choice.delta or choice.message or _Said()
        self._finish = choice.finish_reason or self._finish
        self.is_whole = self._finish is not None or choice.message is not None
        for field in ("reasoning_content", "reasoning"):
            if thought := getattr(said, field):
                self._thoughts.setdefault(field, []).append(thought)
                self.characters += len(thought)
        for piece in said.tool_calls or ():
            self.characters += self._calls.add(piece)
        self._refusal.append(said.refusal or "")
        self.characters += len(said.content or "") + len(said.refusal or "")
        visible = self._inline.visible(said.content or "")
        self._text.append(visible)
        return visible

    def completion(self, stopped: bool) -> Completion:
        """See `Reader.completion`."""
        text = "".join(self._text) + self._inline.end()
        if not self._thoughts:
            text = without_unopened(text)
        refusal, calls = "".join(self._refusal), self._calls.made()
        stop = "refusal" if refusal else _STOPS.get(self._finish, "other")
        if calls and self._finish in ("stop", "tool_calls"):
            stop = "tool_use"
        parts = (*self._shown_thoughts(), *([TextPart(text=text)] if text else ()), *calls)
        return Completion(
            text=text or refusal,
            stop="stopped" if stopped else stop,
            usage=Usage() if stopped else self._counted(),
            model=self._model,
            parts=beyond_text(parts),
        )

    def _shown_thoughts(self) -> Iterator[Part]:
        """Yield the thoughts of the field that came first; servers may fill both with the same."""
        for field, pieces in list(self._thoughts.items())[:1]:
            yield OpaquePart(provider=self._maker, data={field: "".join(pieces)})

    def _counted(self) -> Usage:
        usage = self._usage
        details = usage.prompt_tokens_details or _InputDetails()
        return counted(
            self._name,
            usage.prompt_tokens,
            usage.completion_tokens,
            details.cached_tokens,
            details.cache_write_tokens,
            at_list_price=self._tier in (None, "default"),
        )

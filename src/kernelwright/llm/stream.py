"""Answers that come in pieces: put together, watched, and ended early or by a broken connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

import httpx2
from pydantic import BaseModel

from kernelwright.llm.base import Completion, Heard, Watch
from kernelwright.llm.endpoint import Endpoint
from kernelwright.llm.faults import broken_off, no_answer, parse_answer
from kernelwright.llm.sse import CONTENT_TYPE, event_data

E = TypeVar("E", bound=BaseModel)


class Response(Protocol):
    """The part of both SDKs' responses that is used."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def read(self) -> bytes: ...

    def iter_bytes(self) -> Iterator[bytes]: ...


class Reader(ABC, Generic[E]):
    """An answer that events are put together to; one for each try."""

    event: type[E]
    """Form of an event, as far as it is used."""
    is_whole = False
    """Whether the answer has come to its end, though counts of tokens may follow."""
    characters = 0
    """Characters so far, thoughts and tool calls included."""

    @abstractmethod
    def take(self, event: E) -> str:
        """Take in an event; return the visible text that it adds.

        Raises:
            CallFault: the provider says that it failed.
        """

    @abstractmethod
    def completion(self, stopped: bool) -> Completion:
        """Return what was answered.

        Args:
            stopped: it was ended early; counts of tokens are not known then.
        """

    def whole(self, text: str) -> str:
        """Return the JSON of the event that says the same as the JSON of a whole answer."""
        return text


class Gate:
    """A watcher that wants no more once it is closed: for threads that were given up."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._is_open = True

    def __call__(self, heard: Heard) -> bool:
        """Return whether to go on."""
        return self._is_open and self._watch(heard)

    def close(self) -> None:
        """End answers that still come."""
        self._is_open = False


def read_answer(
    endpoint: Endpoint, response: Response, reader: Reader[E], watch: Watch
) -> Completion:
    """Read an answer, streamed or, from servers that don't stream, in one piece.

    Raises:
        CallFault: it is no answer, the provider says that it failed, or the connection broke before
            the end.
    """
    is_streamed = CONTENT_TYPE in response.headers.get("content-type", "")
    has_begun = False
    try:
        for data in _events(response, reader, is_streamed):
            before = reader.characters
            piece = reader.take(parse_answer(endpoint, reader.event, data))
            has_begun = is_streamed
            if reader.characters > before:
                goes_on = watch(Heard(reader.characters, piece))
                if not goes_on and not reader.is_whole:
                    return reader.completion(stopped=True)
    except httpx2.HTTPError as error:
        # Only counts of tokens are lost behind the end: the answer is not paid for again.
        if not reader.is_whole:
            raise broken_off(endpoint, reader.characters, error) from error
    if not reader.is_whole:
        raise broken_off(endpoint, reader.characters) if has_begun else no_answer(endpoint)
    return reader.completion(stopped=False)


def _events(response: Response, reader: Reader[E], is_streamed: bool) -> Iterator[str]:
    if is_streamed:
        return event_data(response.iter_bytes())
    return iter([reader.whole(response.read().decode(errors="replace"))])

"""Tool calls of the Chat Completions API, whose arguments come in pieces."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from kernelwright.schema import ToolCall


class _Function(BaseModel):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallPiece(BaseModel):
    """A piece of one call; id and name come with the first one, from some servers with each."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None

    @property
    def arguments(self) -> str:
        """The piece of the arguments' text."""
        given = self.function.arguments if self.function else None
        return json.dumps(given) if isinstance(given, dict) else given or ""


class _Call:
    def __init__(self, index: int | None, id: str) -> None:
        self.index, self.id = index, id
        self.name, self.arguments = "", ""


class Calls:
    """Calls in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, piece: CallPiece) -> int:
        """Take in a piece; return the number of characters that it adds."""
        call = self._of(piece)
        named = piece.function.name if piece.function else None
        call.name = call.name or named or ""
        if piece.id and piece.arguments == call.arguments and _is_json(call.arguments):
            return 0  # the whole call once more
        call.arguments += piece.arguments
        return len(piece.arguments)

    def made(self) -> tuple[ToolCall, ...]:
        """Return the calls so far; one that a server gave no id gets one."""
        return tuple(
            ToolCall(id=call.id or f"call_{number}", name=call.name, arguments=call.arguments)
            for number, call in enumerate(self._calls, 1)
        )

    def _of(self, piece: CallPiece) -> _Call:
        """Return the call that a piece belongs to, a new one where there is none.

        Some servers number all calls 0, and some don't number them: an id that is new begins a new
        call.
        """
        for call in reversed(self._calls):
            if piece.id and call.id:
                if piece.id == call.id:
                    return call
            elif piece.index is not None and piece.index == call.index:
                return call
        self._calls.append(_Call(piece.index, piece.id or ""))
        return self._calls[-1]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

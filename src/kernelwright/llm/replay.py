"""Recorded answers: `Recorder` writes them as they come, `Replay` gives them back.

A recording is JSON Lines, one `Recorded` per line. The request decides which answer comes back, and
the model that answered does not, so that a recording stands in for any model.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from kernelwright.errors import InfrastructureError, ProviderError, UsageError
from kernelwright.llm.base import LLM, RECORDED, Completion, Request, always
from kernelwright.schema import Message, Record


class Recorded(Record):
    """One line of a recording."""

    key: str
    """`Request.key`, for searching the file."""
    request: Request
    completion: Completion


class Replay:
    """A model that answers from a recording and from nothing else.

    Where a request was recorded more than once, its last answer counts. Usage comes back as
    recorded: the cost of the answer at that time, not money spent now.
    """

    def __init__(self, path: Path) -> None:
        """Read all of `path`.

        Raises:
            UsageError: there is no such file.
            InfrastructureError: a line that was written completely is not a recorded answer.
        """
        if not path.is_file():
            raise UsageError(f"no recording at {path}", "write replay:PATH, a JSONL file")
        self.name = f"{RECORDED}{path}"
        self._path = path
        self._answers = {line.request.key: line.completion for line in _read(path)}

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
    ) -> Completion:
        """See `LLM.complete`. Answers at once, so no deadline can pass.

        Raises:
            ProviderError: the recording doesn't hold this request.
        """
        request = Request(messages=tuple(messages), max_tokens=max_tokens, temperature=temperature)
        if request.key not in self._answers:
            raise ProviderError(
                f"{self._path} holds no answer to request {request.key}",
                "it was recorded with other messages, max_tokens or temperature",
            )
        return self._answers[request.key]


class Recorder:
    """A model that passes calls on to `llm` and appends every answer to `path`.

    Each line is on disk when `complete` returns. One process at a time may write to a file.
    """

    def __init__(self, llm: LLM, path: Path) -> None:
        self.name = llm.name
        self._llm = llm
        self._path = path
        self._lock = threading.Lock()
        _mend(path)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
    ) -> Completion:
        """See `LLM.complete`. Only answers are recorded, faults are not.

        Raises:
            InfrastructureError: the answer came but can't be written.
        """
        completion = self._llm.complete(
            messages,
            max_tokens=max_tokens,
            temperature=temperature,
            deadline_s=deadline_s,
            pay_again=pay_again,
        )
        request = Request(messages=tuple(messages), max_tokens=max_tokens, temperature=temperature)
        self._append(Recorded(key=request.key, request=request, completion=completion))
        return completion

    def _append(self, line: Recorded) -> None:
        try:
            with self._lock, self._path.open("ab") as file:
                file.write(line.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InfrastructureError(f"cannot write {self._path}: {error.strerror}") from error


def _read(path: Path) -> list[Recorded]:
    """Return all complete lines; a torn last one, left by a crash while writing, is ignored."""
    *lines, last = path.read_bytes().split(b"\n")
    found = [_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    whole = _parse_torn(last)
    return found if whole is None else [*found, whole]


def _parse(path: Path, number: int, line: bytes) -> Recorded:
    try:
        return Recorded.model_validate_json(line)
    except ValidationError as error:
        raise InfrastructureError(
            f"{path}:{number} is not a recorded answer: {error.errors()[0]['msg']}"
        ) from error


def _parse_torn(last: bytes) -> Recorded | None:
    try:
        return Recorded.model_validate_json(last)
    except ValidationError:
        return None


def _mend(path: Path) -> None:
    """End the file with a newline: remove a last line that a crash tore, or complete it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b""
    head, newline, last = content.rpartition(b"\n")
    if not last:
        return
    with path.open("r+b") as file:
        if _parse_torn(last) is None:
            file.truncate(len(head) + len(newline))
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")

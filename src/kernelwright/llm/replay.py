"""Recorded answers: `Recorder` writes them as they come, `Replay` gives them back.

A recording is JSON Lines, one `Recorded` per line. The request decides which answer comes back, and
the model that answered does not, so that a recording stands in for any model. Where a request was
not recorded, the same question with another effort or limit is answered as at that time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from kernelwright.errors import InfrastructureError, ProviderError, UsageError
from kernelwright.llm.base import LLM, RECORDED, Completion, Request, Watch, always, go_on
from kernelwright.schema import Record


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
        lines = _read(path)
        self._answers = {line.request.key: line.completion for line in lines}
        self._questions = {line.request.question: line for line in lines}

    def complete(
        self,
        request: Request,
        *,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
        watch: Watch = go_on,
    ) -> Completion:
        """See `LLM.complete`. Answers at once, so no deadline can pass and there is nothing to see.

        Raises:
            ProviderError: the recording doesn't hold this request.
        """
        found = self._answers.get(request.key) or self._with_other_limits(request)
        if found is None:
            raise ProviderError(
                f"{self._path} holds no answer to request {request.key}",
                "it was recorded with other messages, tools, temperature, or too many tokens",
            )
        return found

    def _with_other_limits(self, request: Request) -> Completion | None:
        """Return the last answer to the same question, where it is no longer than allowed."""
        line = self._questions.get(request.question)
        if line is None:
            return None
        longest = line.completion.usage.output_tokens or line.request.max_tokens
        return line.completion if longest <= request.max_tokens else None


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
        request: Request,
        *,
        deadline_s: float,
        pay_again: Callable[[], None] = always,
        watch: Watch = go_on,
    ) -> Completion:
        """See `LLM.complete`. Only answers are recorded, faults are not.

        Raises:
            InfrastructureError: the answer came but can't be written.
        """
        completion = self._llm.complete(
            request, deadline_s=deadline_s, pay_again=pay_again, watch=watch
        )
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

"""The base of typed answers, and reading them out of a model's text."""

from __future__ import annotations

import json
import re
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kernelwright.llm.base import Completion
from kernelwright.llm.thoughts import without_thoughts

OBJECT = re.compile(r'\{\s*"')
JSON_ONLY = "Answer again with one JSON object of the form you were given, and nothing else."
AGAIN = "Answer again in the form you were given."


class BadAnswer(Exception):
    """An answer that cannot be used.

    Args:
        problem: the fault, exact enough to do better.
        wanted: what the model is asked for in its place.
    """

    def __init__(self, problem: str, wanted: str) -> None:
        super().__init__(f"{problem} {wanted}")
        self.problem = problem

    @property
    def complaint(self) -> str:
        """The text that the model is told."""
        return str(self)


class Answer(BaseModel):
    """Base of typed answers; fields that were not asked for are ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,
        str_min_length=1,
        use_attribute_docstrings=True,
    )


A = TypeVar("A", bound=Answer)


def whole_text(completion: Completion) -> str:
    """Return the answer's text. Raises BadAnswer for one that was cut off, refused or left out.

    Clients leave thoughts out; recordings of earlier versions, and models of others, may not.
    """
    if completion.stop == "max_tokens":
        raise BadAnswer(
            f"Your answer was cut off after {completion.usage.output_tokens or 'too many'} tokens, "
            "the most that an answer may have, thoughts included. Nothing of it could be used.",
            AGAIN,
        )
    if completion.stop == "refusal":
        raise BadAnswer(
            "You declined. This is ordinary performance engineering on the code above.", AGAIN
        )
    if not completion.text.strip():
        raise BadAnswer("Your answer was empty.", AGAIN)
    return without_thoughts(completion.text)


def read_answer(completion: Completion, kind: type[A]) -> A:
    """Return the last JSON object in the answer that is a `kind`; ignore prose and fences.

    Raises:
        BadAnswer: there is none; nothing is repaired.
    """
    pieces, broken = _objects(whole_text(completion))
    found: A | None = None
    complaint = "There is no JSON object in your answer."
    for piece in pieces:
        try:
            found = kind.model_validate_json(piece)
        except ValidationError as error:
            complaint = _what_is_wrong(error)
    if found is None:
        raise BadAnswer(broken or complaint, JSON_ONLY)
    return found


class _Objects(NamedTuple):
    pieces: list[str]
    broken: str | None
    """The fault of the last text that starts like an object and is none."""


def _objects(text: str) -> _Objects:
    decoder, pieces, broken = json.JSONDecoder(), [], None
    start = OBJECT.search(text)
    while start:
        try:
            _, end = decoder.raw_decode(text, start.start())
            pieces.append(text[start.start() : end])
        except RecursionError:
            return _Objects(pieces, "Your JSON does not parse: it is nested too deeply.")
        except ValueError as error:
            end = start.end()
            broken = f"Your JSON does not parse: {error}."
        start = OBJECT.search(text, end)
    return _Objects(pieces, broken)


def _what_is_wrong(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    places = ((".".join(str(part) for part in d["loc"]) or "the JSON", d["msg"]) for d in details)
    listed = "; ".join(f"{place}: {message}" for place, message in places)
    return f"Your answer is not what was asked for: {listed}."

"""The conversation with models behind an attempt, step by step, with nothing said twice.

A model that is asked again is sent all that was said so far, its own answers among it: a call shows
what is new in it. Thoughts are left out; tools' arguments and results are shown up to a length.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from kernelwright.agents.model.words import beginning
from kernelwright.report import format as fmt
from kernelwright.report.decisions import call_title
from kernelwright.schema import (
    Message,
    ModelCall,
    OpaquePart,
    Part,
    TextPart,
    ToolCall,
    ToolResult,
    ToolStep,
    Usage,
)

LONGEST = 2_000
"""Most characters of a tool's arguments or result that are shown."""


class Turn(NamedTuple):
    """One call of a model, and the tools that it asked for."""

    title: str
    """Role, model, tokens and cost; where the attempt has tools, its cost so far, too."""
    call: ModelCall
    said: Sequence[Message]
    """The messages that no earlier turn of the same role shows."""
    steps: Sequence[ToolStep]

    @property
    def has_words(self) -> bool:
        """Whether there is more to its answer than calls of tools."""
        return bool(self.call.answer) or not self.steps


def turns(calls: Sequence[ModelCall], steps: Sequence[ToolStep]) -> list[Turn]:
    """Return the calls of an attempt with the tools that each asked for, in order."""
    asked = _steps_of(calls, steps)
    so_far = Usage.zero()
    found: list[Turn] = []
    last: dict[str, Turn] = {}
    for call, own in zip(calls, asked, strict=True):
        so_far += call.usage
        title = call_title(call) + (f"; {fmt.cost(so_far)} so far" if steps else "")
        turn = Turn(title, call, _said_anew(call, last.get(call.role)), own)
        found.append(turn)
        last[call.role] = turn
    return found


def step_title(step: ToolStep) -> str:
    """Return the name of a step's tool, and its time."""
    return f"{step.name}, {fmt.seconds(step.seconds)}"


def arguments_words(step: ToolStep) -> str:
    """Return a step's arguments, one below the other; as they were written, if they are no JSON."""
    try:
        text = "\n".join(_lines(json.loads(step.arguments)))
    except (ValueError, RecursionError):
        return shortened(step.arguments)
    # JSON can name half of a character, which no file and no terminal takes.
    return shortened(text.encode(errors="replace").decode())


def _lines(arguments: object) -> Iterator[str]:
    if not isinstance(arguments, dict):
        yield json.dumps(arguments)
        return
    for name, value in arguments.items():
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


def shortened(text: str) -> str:
    """Return a text with at most `LONGEST` characters of it, and the number of the others."""
    return beginning(text, LONGEST)


def _steps_of(calls: Sequence[ModelCall], steps: Sequence[ToolStep]) -> list[list[ToolStep]]:
    """Return the steps of each call; one whose call is not stored stands with the last."""
    asking = [i for i, call in enumerate(calls) if call.role == "coder" and call.answer is not None]
    found: list[list[ToolStep]] = [[] for _ in calls]
    for step in steps if asking else ():
        found[asking[min(step.call, len(asking) - 1)]].append(step)
    return found


def _said_anew(call: ModelCall, before: Turn | None) -> tuple[Message, ...]:
    known = len(before.call.messages) if before else 0
    if before is None or call.messages[:known] != before.call.messages:
        return _readable(call.messages, frozenset())
    new = list(call.messages[known:])
    if new and new[0].role == "assistant":
        new[0] = _calls_alone(new[0], before.call.answer)
    results = {step.result for step in before.steps}
    parts = (part for message in new for part in message.parts)
    shown = {p.call_id for p in parts if isinstance(p, ToolResult) and p.text in results}
    return _readable(new, shown)


def _calls_alone(message: Message, answer: str | None) -> Message:
    """Return a model's message without the text of its answer, which its turn shows."""
    if isinstance(message.content, str) and message.content != answer:
        return message
    calls = tuple(part for part in message.parts if isinstance(part, ToolCall))
    return message.model_copy(update={"content": calls})


def _readable(messages: Iterable[Message], shown: Collection[str]) -> tuple[Message, ...]:
    """Return messages without what is not to be read again; those left out that have nothing else.

    Args:
        shown: ids of the tool calls that are shown as steps.
    """
    found = []
    for message in messages:
        if isinstance(message.content, str):
            found.append(message)
        elif parts := [p for part in message.content if (p := _readable_part(part, shown))]:
            found.append(message.model_copy(update={"content": tuple(parts)}))
    return tuple(found)


def _readable_part(part: Part, shown: Collection[str]) -> Part | None:
    match part:
        case TextPart():
            return part
        case ToolCall():
            cut = {"arguments": shortened(part.arguments)}
            return None if part.id in shown else part.model_copy(update=cut)
        case ToolResult():
            cut = {"text": shortened(part.text)}
            return None if part.call_id in shown else part.model_copy(update=cut)
        case OpaquePart():
            return None

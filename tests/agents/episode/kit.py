"""A scripted model that calls tools, and episodes on a small task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kernelwright.agents.episode.bench import Bench
from kernelwright.agents.episode.graph import Episode, Steps
from kernelwright.agents.episode.notes import notes_of
from kernelwright.agents.episode.tools import Toolset, offered
from kernelwright.agents.model.coder import read_written
from kernelwright.llm.base import Completion, Request
from kernelwright.sandbox.machine import Machine
from kernelwright.sandbox.process import ProcessSandbox
from kernelwright.schema import Criteria, Message, TextPart, ToolCall, ToolResult, ToolStep, Usage
from kernelwright.tasks.loader import load_task

MACHINE = Machine(ProcessSandbox(), 1, "cpu")
TASK = load_task("softmax", {"ROWS": 8, "COLS": 64})
RIGHT = """import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        powers = torch.exp(x - x.amax(-1, keepdim=True))
        return powers / powers.sum(-1, keepdim=True)
"""
WRONG = RIGHT.replace("powers /", "2 * powers /")

Calls = list[tuple[str, dict[str, object] | str]]


def calling(*calls: tuple[str, dict[str, object] | str], text: str = "") -> Completion:
    """Return an answer that calls tools, with arguments as given or as JSON."""
    parts = [
        ToolCall(id=f"call-{place}", name=name, arguments=_json(arguments))
        for place, (name, arguments) in enumerate(calls)
    ]
    said = (TextPart(text=text),) if text else ()
    usage = Usage(input_tokens=100, output_tokens=10)
    return Completion(
        text=text, stop="tool_use", usage=usage, model="scripted", parts=(*said, *parts)
    )


def saying(text: str) -> Completion:
    """Return an answer that calls nothing."""
    return Completion(text=text, stop="end", usage=Usage(), model="scripted")


def _json(arguments: dict[str, object] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


class Script:
    """A model that gives its answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Completion | Exception) -> None:
        self._answers: Iterator[Completion | Exception] = iter(answers)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Completion:
        """Return the next answer."""
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def told(self) -> list[ToolResult]:
        """The results of the last request's message."""
        return [part for part in self.asked[-1].messages[-1].parts if isinstance(part, ToolResult)]


@contextmanager
def episode(
    script: Script,
    journal: dict[str, ToolStep] | None = None,
    source: str = "",
    most_calls: int = 40,
    require: Callable[[str], None] = lambda source: None,
    opening: str = "Make it fast.",
) -> Iterator[Episode]:
    """Yield an episode on the small task.

    Args:
        journal: results of an earlier part; new ones are added.
        require: raises Misuse for a file that may not be submitted.
        opening: the first message.
    """
    kept = {} if journal is None else journal
    with Bench(TASK, MACHINE, Criteria(), source) as bench:
        toolset = Toolset(bench, TASK, (), notes_of("cpu", (), ()), require)
        first = Request(
            messages=(Message(role="user", content=opening),),
            max_tokens=1000,
            tools=offered(toolset.tools()),
        )
        steps = Steps(kept.get, kept.setdefault)
        yield Episode(script, first, read_written, bench, toolset, steps, most_calls)

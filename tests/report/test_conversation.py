"""The conversation behind an attempt, step by step."""

from __future__ import annotations

import json

import pytest

from kernelwright.report.conversation import LONGEST, arguments_words, shortened, turns
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
from tests.store import samples

EDIT = samples.tool_step(
    name="edit",
    arguments='{"old": "a < b", "new": "c"}',
    result="edited",
    is_error=False,
    seconds=0.2,
)
BUILD = samples.tool_step(call=1)


def answered(step: ToolStep, *before: Part) -> Message:
    """Return a model's message that calls a tool."""
    call = ToolCall(id=step.name, name=step.name, arguments=step.arguments)
    thoughts = OpaquePart(provider="some/api", data={"thinking": "my thoughts"})
    return Message(role="assistant", content=(thoughts, *before, call))


def told(step: ToolStep, words: str) -> Message:
    """Return a tool's result, with some words of the episode."""
    result = ToolResult(call_id=step.name, text=step.result, is_error=step.is_error)
    return Message(role="user", content=(result, TextPart(text=words)))


def episode(attempt: int) -> tuple[list[ModelCall], list[ToolStep]]:
    """Return the calls of an attempt, an edit and a build that fails, and what they did."""
    first = samples.call("", attempt=attempt)
    said = (*first.messages, answered(EDIT), told(EDIT, "[1 of 9 calls]"))
    second = samples.call("It fails.", attempt=attempt, messages=said)
    said = (*said, answered(BUILD, TextPart(text="It fails.")), told(BUILD, "[2 of 9 calls]"))
    return [first, second, samples.call("done", attempt=attempt, messages=said)], [EDIT, BUILD]


def test_a_conversation_is_said_once() -> None:
    first = samples.call("no file", attempt=1)
    words = ("You are wrong.", "Again.", "Start anew.")
    wrong, again, anew = (Message(role="user", content=text) for text in words)
    own = Message(role="assistant", content="no file")
    second = samples.call("a file", attempt=1, messages=(*first.messages, own, wrong))
    cut_off = Message(role="assistant", content="[no usable answer]")
    third = samples.call(None, messages=(*second.messages, cut_off, again), error="lost")
    planner = samples.call("plan", role="planner")
    other = samples.call("b", attempt=1, messages=(anew,))
    found = turns([planner, first, second, third, third, other], [])
    assert [turn.said for turn in found] == [
        planner.messages,
        first.messages,
        (wrong,),
        (cut_off, again),
        (),
        (anew,),
    ]


def test_tools_stand_with_the_call_that_asked_for_them() -> None:
    calls, steps = episode(attempt=0)
    lost = samples.call(None, attempt=0, error="lost")
    planner = samples.call("plan", attempt=0, role="planner")
    found = turns([planner, lost, *calls], steps)
    assert [list(turn.steps) for turn in found] == [[], [], [EDIT], [BUILD], []]
    assert [turn.has_words for turn in found] == [True, True, False, True, True]
    texts = ["\n".join(message.text for message in turn.said) for turn in found]
    assert texts[2:] == ["", "[1 of 9 calls]", "[2 of 9 calls]"]  # the lost call had the prompt


def test_a_tool_call_that_was_not_carried_out_is_shown() -> None:
    """Check that a refused call stays with its words, and one that is long is shortened."""
    cut_off = ToolStep(name="write_file", arguments='{"source": "' + "x" * 9000, result="cut off")
    calls, steps = episode(attempt=0)
    said = (*calls[2].messages, answered(cut_off), told(cut_off, "[3 of 9 calls]"))
    last = samples.call("done", attempt=0, messages=said)
    *_, turn = turns([*calls, last], steps)
    asked, refused = turn.said
    assert asked.text.startswith("[calls write_file: {") and "7,012 more characters" in asked.text
    assert refused.text == "[result: cut off]\n[3 of 9 calls]"


def test_a_step_without_its_call_is_shown_with_the_last() -> None:
    calls, steps = episode(attempt=0)
    assert [list(turn.steps) for turn in turns(calls[:1], steps)] == [steps]
    assert turns([], steps) == []


def test_the_cost_so_far_is_told_where_there_are_tools() -> None:
    calls, steps = episode(attempt=0)
    unknown = samples.call("done", attempt=0, usage=Usage())
    titles = [turn.title for turn in turns([*calls, unknown], steps)]
    so_far = ["$0.0123", "$0.0246", "$0.0369", "cost unknown"]
    assert [title.rpartition("; ")[2] for title in titles] == [f"{cost} so far" for cost in so_far]
    assert "so far" not in turns(calls, [])[0].title


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"source": "a\\nb", "lines": [1, 2]}', "source: a\nb\nlines: [1, 2]"),
        ("{}", ""),
        ("[1]", "[1]"),
        ('{"source": "cut', '{"source": "cut'),
        ('{"half": "\\ud83d"}', "half: ?"),
        ("[" * 1500, "[" * 1500),
        (json.dumps({"source": "x" * LONGEST}), f"source: {'x' * (LONGEST - 8)}"),
    ],
)
def test_arguments_are_shown_as_they_are_meant(arguments: str, words: str) -> None:
    shown = arguments_words(samples.tool_step(arguments=arguments))
    assert shown.partition("\n[... ")[0] == words


def test_a_long_text_says_how_much_is_left_out() -> None:
    assert shortened("x" * LONGEST) == "x" * LONGEST
    assert shortened("x" * (LONGEST + 1234)).endswith("x\n[... 1,234 more characters]")

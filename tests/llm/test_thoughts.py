"""Thoughts in the text of a local server are no part of the answer."""

from __future__ import annotations

import pytest

from kernelwright.llm.thoughts import Thoughts, without_unopened


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("<think>first a draft</think>\n\nThe answer.", "The answer."),
        ("\n <think>\n</think>The answer.\n", "The answer.\n"),
        ("<think>a < b, </thin, <think> again</think>x</think>y", "x</think>y"),
        ("<think>cut off in the mid", ""),
        ("<think>", ""),
        ("The <think> tag is <think>text</think>.", "The <think> tag is <think>text</think>."),
        ("<thinker>\n", "<thinker>\n"),
        ("  indented", "  indented"),
        ("<th", "<th"),
        ("", ""),
    ],
)
def test_only_thoughts_at_the_beginning_are_hidden(text: str, visible: str, size: int) -> None:
    thoughts = Thoughts()
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert "".join(map(thoughts.visible, pieces)) + thoughts.end() == visible


def test_thoughts_that_the_prompt_opened_are_hidden_too() -> None:
    assert without_unopened("so, a draft\n</think>\n\nThe answer.") == "The answer."
    assert without_unopened("The answer.") == "The answer."

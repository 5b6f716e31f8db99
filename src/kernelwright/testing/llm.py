"""Conformance suite of language models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM, Completion, Request
from kernelwright.schema import Message, Usage

TURNS = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="hello"),
    Message(role="assistant", content="hi"),
    Message(role="user", content="again \u2603"),
)
DEADLINE_S = 60.0


class Script(Protocol):
    """Opens a model that gives one answer, again and again."""

    def __call__(self, text: str | None, tokens: tuple[int, int] | None = None) -> LLM:
        """Return a model that answers `TURNS`.

        Args:
            text: the answer; None: the provider sends none.
            tokens: number of tokens asked and answered; None: the provider doesn't tell.
        """
        ...


def ask(llm: LLM, temperature: float | None = None) -> Completion:
    """Ask `TURNS`."""
    request = Request(messages=TURNS, max_tokens=50, temperature=temperature)
    return llm.complete(request, deadline_s=DEADLINE_S)


class LLMConformance:
    """The contract of a language model.

    Fixtures of the subclass: `script`, a `Script`; `failing`, a model whose provider refuses.
    """

    def test_answer_stop_and_usage(self, script: Script) -> None:
        found = ask(script("fine\n", (1000, 10)))
        assert (found.text, found.stop) == ("fine\n", "end")
        assert (found.usage.input_tokens, found.usage.output_tokens) == (1000, 10)

    def test_unknown_usage_is_none(self, script: Script) -> None:
        assert ask(script("fine")).usage == Usage()

    @pytest.mark.parametrize("text", ["", None])
    def test_an_empty_answer_is_an_answer(self, script: Script, text: str | None) -> None:
        found = ask(script(text))
        assert (found.text, found.stop) == ("", "end")

    def test_text_is_kept_to_the_byte(self, script: Script) -> None:
        text = "  ```cpp\r\nint x; // \u2603 \x00\n```\n\n"
        assert ask(script(text)).text == text

    def test_it_has_a_name(self, script: Script) -> None:
        assert script("fine").name

    def test_threads_share_a_model(self, script: Script) -> None:
        llm = script("fine")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: ask(llm).text, range(8)))
        assert answers == ["fine"] * 8

    def test_a_fault_is_an_infrastructure_error(self, failing: LLM) -> None:
        with pytest.raises(InfrastructureError):
            ask(failing, temperature=0.125)

"""Conformance suite of language models."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM, Completion, Heard, Request, Tool
from kernelwright.schema import Message, OpaquePart, TextPart, ToolCall, ToolResult, Usage

TURNS = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="hello"),
    Message(role="assistant", content="hi"),
    Message(role="user", content="again \u2603"),
)
CALLS = (
    ToolCall(id="first", name="add", arguments='{"left": 1, "right": 2}'),
    ToolCall(id="second", name="add", arguments="{}"),
)
"""Tools that a model may call at once."""
_SPOKEN = (OpaquePart(provider="another/api", data={"secret": "x"}), TextPart(text="so"), *CALLS)
_RESULTS = (
    ToolResult(call_id="first", text="3"),
    ToolResult(call_id="second", text="left is missing", is_error=True),
)
NUMBER = {"type": "integer"}
ADD = Tool(
    name="add",
    description="Add two numbers.",
    parameters={"type": "object", "properties": {"left": NUMBER, "right": NUMBER}},
)
PLAIN = Request(messages=TURNS, max_tokens=50)
ACTING = Request(
    messages=(
        *TURNS,
        Message(role="assistant", content=_SPOKEN),
        Message(role="user", content=_RESULTS),
    ),
    max_tokens=50,
    tools=(ADD,),
    effort="low",
    answer_schema={"type": "object", "properties": {}, "additionalProperties": False},
    cache_key="conformance",
)
"""A request with everything that one can have, and with another provider's thoughts."""
REQUESTS = (PLAIN, ACTING)
DEADLINE_S = 60.0


class Script(Protocol):
    """Opens a model that gives one answer, again and again."""

    def __call__(self, text: str | None, tokens: tuple[int, int] | None = None) -> LLM:
        """Return a model that answers `REQUESTS`.

        Args:
            text: the answer; None: the provider sends none.
            tokens: number of tokens asked and answered; None: the provider doesn't tell.
        """
        ...


def ask(llm: LLM, request: Request = PLAIN, temperature: float | None = None) -> Completion:
    """Ask, with a temperature where one is given."""
    changes = {} if temperature is None else {"temperature": temperature}
    return llm.complete(request.model_copy(update=changes), deadline_s=DEADLINE_S)


class LLMConformance:
    """The contract of a language model.

    Fixtures of the subclass: `script`, a `Script`; `failing`, a model whose provider refuses;
    `calling`, a model that answers `PLAIN` with `CALLS`, where it can call tools.
    """

    @pytest.fixture
    def calling(self) -> LLM | None:
        """Return None: this model calls no tools."""
        return None

    def test_answer_stop_and_usage(self, script: Script) -> None:
        found = ask(script("fine\n", (1000, 10)))
        assert (found.text, found.stop, found.parts) == ("fine\n", "end", ())
        assert (found.usage.input_tokens, found.usage.output_tokens) == (1000, 10)

    def test_unknown_usage_is_none(self, script: Script) -> None:
        assert ask(script("fine")).usage == Usage()

    def test_cached_tokens_are_a_part_of_those_asked_or_unknown(self, script: Script) -> None:
        share = ask(script("fine", (1000, 10))).usage.cached_share
        assert share is None or 0 <= share <= 1

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

    def test_a_request_may_have_everything(self, script: Script) -> None:
        assert ask(script("fine"), ACTING).text == "fine"

    def test_an_answer_can_go_on_as_a_message(self, script: Script) -> None:
        found = ask(script("fine"))
        assert found.message == Message(role="assistant", content="fine")

    def test_tools_are_called_by_name_with_json(self, calling: LLM | None) -> None:
        if calling is None:
            pytest.skip("it calls no tools")
        found = ask(calling)
        assert found.stop == "tool_use" and found.text == ""
        made = [(call.name, json.loads(call.arguments)) for call in found.tool_calls]
        assert made == [(call.name, json.loads(call.arguments)) for call in CALLS]
        names = [call.id for call in found.tool_calls]
        assert all(names) and len(set(names)) == len(names)

    def test_a_watcher_hears_the_text_in_order(self, script: Script) -> None:
        heard: list[Heard] = []

        def watch(now: Heard) -> bool:
            heard.append(now)
            return True

        text = "some words\n" * 9
        found = script(text).complete(PLAIN, deadline_s=DEADLINE_S, watch=watch)
        assert found.text == text
        assert text.startswith("".join(now.piece for now in heard))
        counts = [now.characters for now in heard]
        assert counts == sorted(counts)

    def test_an_answer_may_be_ended_early(self, script: Script) -> None:
        text = "some words\n" * 9
        found = script(text).complete(PLAIN, deadline_s=DEADLINE_S, watch=lambda _: False)
        assert text.startswith(found.text)
        assert (found.stop == "stopped") is (found.text != text)

    def test_a_fault_is_an_infrastructure_error(self, failing: LLM) -> None:
        with pytest.raises(InfrastructureError):
            ask(failing, temperature=0.125)

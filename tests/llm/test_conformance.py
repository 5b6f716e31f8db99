"""The contract of every `LLM`. A new provider is one more parameter here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernelwright.errors import InfrastructureError
from kernelwright.llm.base import LLM
from kernelwright.llm.replay import Recorder, Replay
from kernelwright.schema import Message, Usage
from tests.llm.conftest import LONG_S, Hosted, anthropic_hosted, openai_hosted
from tests.llm.loopback import Loopback, Reply

TURNS = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="hello"),
    Message(role="assistant", content="hi"),
    Message(role="user", content="again \u2603"),
]
Open = Callable[[Reply], LLM]


def _hosted(loopback: Loopback, name: str) -> Hosted:
    return anthropic_hosted(loopback) if name == "anthropic" else openai_hosted(loopback)


@pytest.fixture(params=["openai", "anthropic", "replay"])
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def hosted(loopback: Loopback, provider: str) -> Hosted:
    """Return a client with the wire format to script answers in."""
    return _hosted(loopback, provider)


@pytest.fixture
def open_llm(hosted: Hosted, provider: str, tmp_path: Path) -> Open:
    """Return a function that opens a model with one scripted answer to `TURNS`."""

    def open_with(reply: Reply) -> LLM:
        hosted.loopback.script(reply)
        if provider != "replay":
            return hosted.llm
        path = tmp_path / "recording.jsonl"
        _complete(Recorder(hosted.llm, path))
        return Replay(path)

    return open_with


def _complete(llm: LLM, temperature: float | None = None) -> tuple[str, str, Usage]:
    completion = llm.complete(TURNS, max_tokens=50, temperature=temperature, deadline_s=LONG_S)
    return completion.text, completion.stop, completion.usage


def test_answer_stop_and_usage(hosted: Hosted, open_llm: Open) -> None:
    llm = open_llm(hosted.answer("fine\n", usage=hosted.usage(1000, 10)))
    text, stop, usage = _complete(llm)
    assert (text, stop) == ("fine\n", "end")
    assert (usage.input_tokens, usage.output_tokens) == (1000, 10)
    assert usage.cost_usd is not None and usage.cost_usd > 0


def test_unknown_usage_is_none(hosted: Hosted, open_llm: Open) -> None:
    assert _complete(open_llm(hosted.answer("fine")))[2] == Usage()


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_answer_is_an_answer(hosted: Hosted, open_llm: Open, text: str | None) -> None:
    assert _complete(open_llm(hosted.answer(text)))[:2] == ("", "end")


def test_text_is_kept_to_the_byte(hosted: Hosted, open_llm: Open) -> None:
    text = "  ```cpp\r\nint x; // \u2603 \x00\n```\n\n"
    assert _complete(open_llm(hosted.answer(text)))[0] == text


def test_the_name_has_a_provider(hosted: Hosted, open_llm: Open, provider: str) -> None:
    assert open_llm(hosted.answer("fine")).name.startswith(provider)


def test_threads_share_a_model(hosted: Hosted, open_llm: Open) -> None:
    llm = open_llm(hosted.answer("fine"))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _complete(llm)[0], range(8)))
    assert answers == ["fine"] * 8


def test_a_fault_is_an_infrastructure_error(hosted: Hosted, open_llm: Open) -> None:
    llm = open_llm(hosted.answer("fine"))
    hosted.loopback.script(hosted.error(400, "no"))
    with pytest.raises(InfrastructureError):
        _complete(llm, temperature=0.125)

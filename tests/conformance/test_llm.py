"""Every language model keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.llm.base import LLM
from kernelwright.llm.replay import Recorder, Replay
from kernelwright.testing.llm import CALLS, REQUESTS, LLMConformance, Script, ask
from tests.llm.conftest import CONNECT, Hosted, openai_hosted
from tests.llm.loopback import Loopback


@pytest.fixture(params=[*CONNECT, "replay"])
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def hosted(provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    """Yield a client with the wire format to script answers in."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Loopback()
    yield CONNECT.get(provider, openai_hosted)(server)
    server.close()


def recorded(hosted: Hosted, folder: Path) -> LLM:
    """Return a recording of a model's answers."""
    recorder = Recorder(hosted.llm, folder / "recording.jsonl")
    for request in REQUESTS:
        ask(recorder, request)
    return Replay(folder / "recording.jsonl")


class TestModels(LLMConformance):
    @pytest.fixture
    def script(self, hosted: Hosted, provider: str, tmp_path: Path) -> Script:
        def open_with(text: str | None, tokens: tuple[int, int] | None = None) -> LLM:
            usage = {} if tokens is None else {"usage": hosted.usage(*tokens)}
            hosted.loopback.script(hosted.answer(text, **usage))
            if provider != "replay":
                return hosted.llm
            return recorded(hosted, tmp_path)

        return open_with

    @pytest.fixture
    def calling(self, hosted: Hosted, provider: str, tmp_path: Path) -> LLM:
        hosted.loopback.script(hosted.calls(CALLS))
        return hosted.llm if provider != "replay" else recorded(hosted, tmp_path)

    @pytest.fixture
    def failing(self, hosted: Hosted, script: Script) -> LLM:
        llm = script("fine")
        hosted.loopback.script(hosted.error(400, "no"))
        return llm


def test_the_name_has_a_provider(hosted: Hosted, provider: str) -> None:
    if provider != "replay":
        assert hosted.llm.name.startswith(("openai/", "anthropic/"))


def test_a_known_models_answer_has_a_price(hosted: Hosted) -> None:
    hosted.loopback.script(hosted.answer("fine", usage=hosted.usage(1000, 10)))
    cost = ask(hosted.llm).usage.cost_usd
    assert cost is not None and cost > 0

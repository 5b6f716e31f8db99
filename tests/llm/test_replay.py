"""Recordings: the written lines, the answers that come back, and torn lines after a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernelwright.errors import InfrastructureError, ProviderError, UsageError
from kernelwright.llm.base import LLM, Request
from kernelwright.llm.replay import Recorder, Replay
from kernelwright.schema import Message
from tests.llm.conftest import LONG_S, Hosted, openai_hosted
from tests.llm.loopback import Loopback, openai_usage


@pytest.fixture
def hosted(loopback: Loopback) -> Hosted:
    return openai_hosted(loopback)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "recording.jsonl"


def _ask(llm: LLM, text: str, temperature: float | None = None, max_tokens: int = 9) -> str:
    messages = (Message(role="user", content=text),)
    request = Request(messages=messages, max_tokens=max_tokens, temperature=temperature)
    return llm.complete(request, deadline_s=LONG_S).text


def _record(hosted: Hosted, path: Path, **answers: str) -> None:
    recorder = Recorder(hosted.llm, path)
    for question, answer in answers.items():
        hosted.loopback.script(hosted.answer(answer))
        _ask(recorder, question)


def test_a_recording_answers_as_the_model_did(hosted: Hosted, path: Path) -> None:
    _record(hosted, path, one="1", two="2")
    calls = len(hosted.loopback.asked)
    replay = Replay(path)
    assert [_ask(replay, "two"), _ask(replay, "one"), _ask(replay, "one")] == ["2", "1", "1"]
    assert len(hosted.loopback.asked) == calls
    assert replay.name == f"replay:{path}"


def test_usage_comes_back_as_recorded(hosted: Hosted, path: Path) -> None:
    hosted.loopback.script(hosted.answer("1", usage=openai_usage(1000, 10)))
    question = Request(messages=(Message(role="user", content="one"),), max_tokens=9)
    recorder = Recorder(hosted.llm, path)
    recorded = recorder.complete(question, deadline_s=LONG_S)
    assert recorder.name == hosted.llm.name
    replayed = Replay(path).complete(question, deadline_s=0)
    assert replayed == recorded and replayed.usage.cost_usd is not None


@pytest.mark.parametrize(
    ("text", "temperature", "max_tokens"),
    [("one ", None, 9), ("one", 0.0, 9), ("one", None, 8)],
    ids=["messages", "temperature", "max_tokens"],
)
def test_a_miss_names_the_request_and_the_file(
    hosted: Hosted, path: Path, text: str, temperature: float | None, max_tokens: int
) -> None:
    _record(hosted, path, one="1")
    key = Request(
        messages=(Message(role="user", content=text),),
        max_tokens=max_tokens,
        temperature=temperature,
    ).key
    with pytest.raises(InfrastructureError) as caught:
        _ask(Replay(path), text, temperature, max_tokens)
    assert key in caught.value.message and str(path) in caught.value.message


def test_another_effort_or_limit_gets_the_answer_of_that_time(hosted: Hosted, path: Path) -> None:
    _record(hosted, path, one="1")
    question = Request(messages=(Message(role="user", content="one"),), max_tokens=99, effort="max")
    assert Replay(path).complete(question, deadline_s=0).text == "1"
    recorder = Recorder(hosted.llm, path)
    for text, finish, limit in (("cut", "length", 9), ("whole", "stop", 18)):
        hosted.loopback.script(hosted.answer(text, finish_reason=finish))
        _ask(recorder, "long", max_tokens=limit)
    answers = {limit: _ask(Replay(path), "long", max_tokens=limit) for limit in (9, 18, 99)}
    assert answers == {9: "cut", 18: "whole", 99: "whole"}


def test_zero_is_the_same_temperature_as_an_integer(hosted: Hosted, path: Path) -> None:
    hosted.loopback.script(hosted.answer("1"))
    _ask(Recorder(hosted.llm, path), "one", temperature=0)
    assert _ask(Replay(path), "one", temperature=0.0) == "1"


def test_the_last_answer_counts(hosted: Hosted, path: Path) -> None:
    _record(hosted, path, one="1")
    _record(hosted, path, one="uno")
    assert _ask(Replay(path), "one") == "uno"
    assert len(path.read_text().splitlines()) == 2


def test_a_line_has_key_request_and_completion(hosted: Hosted, path: Path) -> None:
    _record(hosted, path, one="1")
    line = json.loads(path.read_text())
    assert line["key"] == Request.model_validate(line["request"]).key
    assert (line["request"]["max_tokens"], line["completion"]["text"]) == (9, "1")


def test_faults_are_not_recorded(hosted: Hosted, path: Path) -> None:
    hosted.loopback.script(hosted.error(400, "no"))
    with pytest.raises(ProviderError):
        _ask(Recorder(hosted.llm, path), "one")
    assert not path.exists()


@pytest.mark.parametrize("torn", [1, 40, 200])
def test_a_torn_last_line_is_asked_again(hosted: Hosted, path: Path, torn: int) -> None:
    _record(hosted, path, one="1", two="2")
    path.write_bytes(path.read_bytes()[:-torn])
    replay = Replay(path)
    assert _ask(replay, "one") == "1"
    if torn == 1:  # only the newline is lost, the answer is not
        assert _ask(replay, "two") == "2"
    else:
        with pytest.raises(InfrastructureError):
            _ask(replay, "two")


@pytest.mark.parametrize("torn", [1, 40])
def test_recording_goes_on_after_a_torn_line(hosted: Hosted, path: Path, torn: int) -> None:
    _record(hosted, path, one="1", two="2")
    path.write_bytes(path.read_bytes()[:-torn])
    _record(hosted, path, two="2", three="3")
    replay = Replay(path)
    assert [_ask(replay, text) for text in ("one", "two", "three")] == ["1", "2", "3"]


def test_a_broken_line_in_the_middle_is_named(hosted: Hosted, path: Path) -> None:
    _record(hosted, path, one="1")
    path.write_text('{"key": "x"}\n' + path.read_text())
    with pytest.raises(InfrastructureError, match=r"recording\.jsonl:1 is not a recorded answer"):
        Replay(path)


def test_a_recording_that_cannot_be_written_is_named(hosted: Hosted, path: Path) -> None:
    recorder = Recorder(hosted.llm, path)
    path.mkdir()
    hosted.loopback.script(hosted.answer("1"))
    with pytest.raises(InfrastructureError, match="cannot write"):
        _ask(recorder, "one")


def test_no_file_is_a_usage_error(path: Path) -> None:
    with pytest.raises(UsageError, match="no recording at"):
        Replay(path)

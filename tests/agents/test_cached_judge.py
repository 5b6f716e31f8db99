"""Verdicts that a search's judge keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.agents.cached_judge import CachingJudge
from kernelwright.schema import Evaluation, Status
from kernelwright.store.store import Store, open_store
from kernelwright.verifier.build.cache import Build
from kernelwright.verifier.judge import Judge
from tests.verifier import kit
from tests.verifier.kit import forward

REFERENCE = "class Model(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
RIGHT, WRONG = forward("return x * 2"), forward("return x * 3")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with kit.live_reference(kit.task(REFERENCE)) as reference:
        yield Judge(reference, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as opened:
        yield opened


def test_a_wrong_value_is_found_once(judge: Judge, store: Store) -> None:
    candidate = kit.candidate(WRONG)
    first, later = CachingJudge(judge, store), CachingJudge(judge, store)
    build = first.build(candidate, "fast")
    assert isinstance(build, Build)
    found = first.evaluate(candidate, "fast", build)
    assert found.status is Status.INCORRECT_NUMERICAL
    assert later.build(candidate, "fast") == found


def test_what_is_wrong_at_standard_is_not_built_again(judge: Judge, store: Store) -> None:
    candidate, first = kit.candidate(WRONG), CachingJudge(judge, store)
    build = first.build(candidate, "fast")
    assert isinstance(build, Build)
    found = first.evaluate(candidate, "standard", build)
    assert found.status is Status.INCORRECT_NUMERICAL and found.level == "standard"
    assert CachingJudge(judge, store).build(candidate, "fast") == found


def test_what_does_not_build_is_known_and_what_passed_is_not(judge: Judge, store: Store) -> None:
    first = CachingJudge(judge, store)
    broken = first.build(kit.candidate("class ModelNew(:\n"), "fast")
    assert isinstance(broken, Evaluation) and broken.status is Status.COMPILE_ERROR
    candidate = kit.candidate(RIGHT)
    build = first.build(candidate, "fast")
    assert isinstance(build, Build)
    assert first.evaluate(candidate, "fast", build).accepted
    assert isinstance(first.build(candidate, "fast"), Build)  # times age

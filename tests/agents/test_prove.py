"""The answer for a task whose search lost its model's provider."""

from __future__ import annotations

from kernelwright.agents.prove import answer
from kernelwright.agents.search.stopping import unanswered
from kernelwright.schema import Move
from tests.agents.model_kit import TASK, attempt, file
from tests.store import samples

LOST = [samples.attempt(index, error="key revoked") for index in (1, 2, 3)]


def test_what_was_accepted_is_an_answer_though_the_provider_failed() -> None:
    found = attempt(0, file(0), 0.9)
    result = answer(TASK, [], [found, *LOST], losers=[found])
    assert (result.status, result.candidate_hash) == (
        "no_improvement",
        found.candidate and found.candidate.hash,
    )


def test_a_seed_that_is_no_faster_is_no_answer_of_a_model_that_never_spoke() -> None:
    seed = attempt(0, file(0), 0.9, move=Move(operator="seed"))
    assert answer(TASK, [], [seed, *LOST], losers=[seed]).status == "error"


def test_a_search_that_the_provider_ended_with_nothing_is_tried_again() -> None:
    result = answer(TASK, [], [samples.attempt(0, dropped="no usable answer"), *LOST])
    assert (result.status, result.error, result.is_open) == ("error", "key revoked", True)
    ended = answer(TASK, [], [*LOST, samples.attempt(4, dropped="no usable answer")])
    assert ended.status == "no_improvement"


def test_only_attempts_without_an_answer_count() -> None:
    assert unanswered(LOST) == "3 attempts in a row without an answer: key revoked"
    assert unanswered(LOST[1:]) is None
    judge = [samples.attempt(4, error="no worker", candidate=samples.candidate())]
    assert unanswered([*LOST, *judge]) is None

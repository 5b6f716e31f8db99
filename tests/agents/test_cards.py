"""Skill cards: what a search's steps gained or lost, measured, with their code."""

from __future__ import annotations

import math

import pytest

from kernelwright.agents.cards import (
    LONGEST_DIFFERENCE,
    Setting,
    card_line,
    difference,
    gains,
    losses,
    ratio,
)
from kernelwright.kernels.runtime import LATEST, complete
from kernelwright.schema import Attempt, Circumstances, Evidence, Lesson, Move, Speedup, Status
from kernelwright.store.results import TaskResult
from tests.agents.model_kit import TASK, file
from tests.store import samples

ON = Circumstances(
    bound="memory", bytes_moved=64_000_000, dtypes=("float32",), units=("AVX2 (8 float32)", "FMA")
)
SETTING = Setting(TASK, "normalization", "cpu", ON)


def made(
    index: int, eager: float | None, move: Move | None = None, half_width: float = 0.03
) -> Attempt:
    of = samples.candidate(file(index), kind="model", model="openai/some-model")
    status = Status.PASSED if eager else Status.COMPILE_ERROR
    verdict = samples.evaluation(
        of,
        eager,
        status=status,
        for_task=TASK,
        half_width=half_width,
        evidence=Evidence(level="static"),
    )
    plan = f"Change {index}. (expected 2x)"
    return samples.attempt(index, of, evaluation=verdict, plan=plan, move=move or Move())


def improve(parent: int) -> Move:
    return Move(operator="improve", parent=parent)


def repair(parent: int) -> Move:
    return Move(operator="repair", parent=parent)


def proven(attempt: Attempt) -> TaskResult:
    return samples.improved(attempt.candidate).model_copy(update={"task_id": TASK.id})


HISTORY = [
    made(0, 1.5),
    made(1, None, improve(0)),
    made(2, None, repair(1)),
    made(3, 3.0, repair(2)),
    made(4, 2.0, improve(3)),
    made(5, 2.95, improve(3)),
]


def found() -> list[Lesson]:
    return list(gains(SETTING, HISTORY, proven(HISTORY[3])))


def test_a_repaired_idea_is_a_step_with_its_failures() -> None:
    last, first = found()
    assert (last.text, last.attempt, last.gain) == ("Change 1.", 3, 2.0)
    assert last.failures == ("compile_error", "compile_error") and first.failures == ()
    assert (first.text, first.attempt, first.gain) == ("Change 0.", 0, 1.5)


def test_a_card_says_where_it_was_measured_and_what_changed() -> None:
    card = found()[0]
    assert (card.run_id, card.task_id, card.task_hash) == (samples.RUN_ID, TASK.id, TASK.hash)
    assert (card.category, card.on, card.harmed) == ("normalization", ON, 0)
    assert card.difference is not None
    assert "-VARIANT = 0\n+VARIANT = 3" in card.difference


def test_the_first_step_is_changed_from_the_reference() -> None:
    card = found()[1]
    assert card.difference is not None
    assert "-class Model(nn.Module):" in card.difference and "+VARIANT = 0" in card.difference


def test_an_interval_is_wider_than_that_of_either_side() -> None:
    card = found()[0]
    assert card.interval is not None
    low, high = card.interval
    assert 1.91 < low < 1.94 < 2.0 < 2.06 < high < 2.09
    same = Speedup(median=1.0, ci95=(1.0, 1.0))
    again = ratio(samples.speedup(2.0, 0.1), same)
    assert again.median == 2.0 and math.prod(again.ci95) == pytest.approx(4.0)


def test_what_was_clearly_slower_lost() -> None:
    (card,) = losses(SETTING, HISTORY)
    assert (card.attempt, card.text) == (4, "Change 4.")
    assert card.gain == pytest.approx(2 / 3, abs=0.001)
    unclear = [made(0, 1.5, half_width=0.4), made(1, 1.2, improve(0), half_width=0.4)]
    assert list(losses(SETTING, unclear)) == []


def test_the_best_code_of_an_idea_decides_whether_it_lost() -> None:
    history = [made(0, 1.5), made(1, 1.0, improve(0)), made(2, 1.49, repair(1))]
    assert list(losses(SETTING, history)) == []


def test_nothing_that_no_model_wrote_is_a_card() -> None:
    own = samples.candidate(file(9))
    verdict = samples.evaluation(own, 1.0, for_task=TASK)
    offline = samples.attempt(1, own, evaluation=verdict, move=improve(0))
    assert list(losses(SETTING, [made(0, 1.5), offline])) == []


def test_a_difference_names_the_runtime_and_is_cut() -> None:
    runtime = LATEST["cpp"].line
    before, after = (complete(f"{runtime}\n\nX = {number}\n") for number in (1, 2))
    short = difference(before, after)
    assert short.splitlines()[-2:] == ["-X = 1", "+X = 2"] and len(short) < 200
    long = difference("", "\n".join(f"line {number}" for number in range(9_000)))
    assert len(long) < LONGEST_DIFFERENCE + 40 and long.endswith(" more lines]")


def test_a_card_in_a_line() -> None:
    assert card_line(found()[0]) == (
        "Change 1. -> 2.00x (cpp; 95% interval 1.92 to 2.09; memory-bound; 64 MB a call; float32; "
        "AVX2 (8 float32); failed at first: compile_error, compile_error)"
    )
    old = Lesson(
        text="Fuse.",
        category=None,
        backend="cpp",
        target="cpu",
        gain=0.8,
        run_id="a",
        task_id="b",
        attempt=0,
    )
    assert card_line(old) == "Fuse. -> slower, 0.80x (cpp)"
    counted = old.model_copy(update={"helped": 1, "harmed": 2})
    assert card_line(counted).endswith("(cpp; shown since for 1 improved tasks, 2 others)")

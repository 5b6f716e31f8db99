"""Lessons: learnt from proven wins, shown to later searches, forgotten where they do not help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.agents.lessons import FORGOTTEN, SHOWN, learn, lessons_shown, weight
from kernelwright.agents.model.planner import planner_context
from kernelwright.schema import Attempt, Facts, Lesson, Move, Status
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store, open_store
from tests.agents.model_kit import BRIEF, TASK, file, view
from tests.store import samples

NOTHING = TaskResult(task_id=TASK.id, status="no_improvement")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as opened:
        opened.add_run(samples.run())
        yield opened


def step(index: int, eager: float | None, parent: int | None, kind: str = "model") -> Attempt:
    made = samples.candidate(file(index), kind=kind, model="openai/some-model")
    status = Status.PASSED if eager else Status.RUNTIME_ERROR
    verdict = samples.evaluation(made, eager, for_task=TASK, status=status)
    move = Move() if parent is None else Move(operator="improve", parent=parent)
    plan = f"Change number {index}. (expected 2x)"
    return samples.attempt(index, made, evaluation=verdict, plan=plan, move=move)


def history(kind: str = "model") -> list[Attempt]:
    return [
        step(0, 1.5, None, kind),
        step(1, None, 0, kind),
        step(2, 1.52, 0, kind),  # gained next to nothing
        step(3, 3.04, 2, kind),
        step(4, 9.0, 3, kind),  # fast in the search, and not what was proven
    ]


def proven(attempts: list[Attempt]) -> TaskResult:
    return samples.improved(attempts[3].candidate).model_copy(update={"task_id": TASK.id})


def learnt(store: Store, kind: str = "model") -> list[Lesson]:
    attempts = history(kind)
    learn(store, samples.RUN_ID, TASK, attempts, proven(attempts), "cpu")
    return store.lessons_for(TASK.category, "cpu")


def test_steps_that_led_to_a_proven_win_and_gained_something_are_kept(store: Store) -> None:
    found = learnt(store)
    assert [(lesson.attempt, lesson.text, lesson.gain) for lesson in found] == [
        (0, "Change number 0.", 1.5),
        (3, "Change number 3.", 2.0),
    ]
    assert all((lesson.run_id, lesson.task_id) == (samples.RUN_ID, TASK.id) for lesson in found)
    assert store.lessons_for(TASK.category, "cuda") == store.lessons_for("other", "cpu") == []


def test_nothing_is_learnt_from_what_was_not_proven_or_no_model_planned(store: Store) -> None:
    learn(store, samples.RUN_ID, TASK, history(), NOTHING, "cpu")
    assert learnt(store, "offline") == []


def test_later_searches_are_shown_the_weightiest_and_always_the_same(store: Store) -> None:
    assert lessons_shown(store, "run-a", TASK, "cpu") == ()
    learnt(store)
    assert lessons_shown(store, "run-a", TASK, "cpu") == ()  # as when it began
    shown = lessons_shown(store, "run-b", TASK, "cpu")
    assert [lesson.attempt for lesson in shown] == [3, 0]
    assert "Change number 3. -> 2.00x (cpp)" in planner_text(shown)


def planner_text(lessons: tuple[Lesson, ...], leads_on: bool = True) -> str:
    shown = view(move=Move(leads_on=leads_on))
    return "\n".join(planner_context(shown, BRIEF._replace(lessons=lessons)).lessons)


def test_independent_attempts_and_other_backends_are_shown_none(store: Store) -> None:
    lessons = tuple(learnt(store))
    assert planner_text(lessons, leads_on=False) == ""
    other = tuple(lesson.model_copy(update={"backend": "cuda"}) for lesson in lessons)
    assert planner_text(other) == ""


def test_what_does_not_help_is_forgotten(store: Store) -> None:
    learnt(store)
    for number in range(9):
        learn(store, f"run-{number}", TASK, history(), NOTHING, "cpu")
    assert lessons_shown(store, "run-x", TASK, "cpu") == ()
    known = store.lessons_for(TASK.category, "cpu")
    assert len(known) == 2 and all(0 < weight(lesson) < FORGOTTEN for lesson in known)


def test_what_helps_weighs_more(store: Store) -> None:
    (first, _) = learnt(store)
    other = first.model_copy(update={"run_id": "elsewhere", "misses": 1})
    store.put_lesson(other)
    attempts = history()
    learn(store, "run-y", TASK, attempts, proven(attempts), "cpu")
    after = next(
        one for one in store.lessons_for(TASK.category, "cpu") if one.run_id != first.run_id
    )
    assert (after.helped, after.misses) == (1, 0)
    assert weight(after) > weight(first) > weight(other)


def test_no_more_than_a_few_are_shown(store: Store) -> None:
    (first, _) = learnt(store)
    for index in range(20, 30):
        store.put_lesson(first.model_copy(update={"attempt": index, "gain": float(index)}))
    shown = lessons_shown(store, "run-z", TASK, "cpu")
    assert [lesson.attempt for lesson in shown] == [29, 28, 27][:SHOWN]


def test_a_task_without_a_class_takes_that_of_its_trace(store: Store) -> None:
    unnamed = TASK.model_copy(update={"category": None})
    store.fix_facts(samples.RUN_ID, TASK.id, lambda: Facts(category="matmul"))
    attempts = history()
    learn(store, samples.RUN_ID, unnamed, attempts, proven(attempts), "cpu")
    assert [lesson.category for lesson in store.lessons_for("matmul", "cpu")] == ["matmul"] * 2
    assert lessons_shown(store, "run-b", unnamed, "cpu") == ()
    store.fix_facts("run-c", TASK.id, lambda: Facts(category="matmul"))
    assert len(lessons_shown(store, "run-c", unnamed, "cpu")) == 2

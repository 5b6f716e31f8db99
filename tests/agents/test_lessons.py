"""Lessons: learnt from proven wins, shown to later searches, forgotten where they do not help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernelwright.agents.cards import SHOWN, SHOWN_LOSSES, shown
from kernelwright.agents.lessons import (
    FORGOTTEN,
    KEPT,
    OTHER,
    UNKNOWN,
    learn,
    lessons_known,
    match,
    setting_of,
    weight,
)
from kernelwright.agents.model.planner import planner_context
from kernelwright.schema import Attempt, Circumstances, Facts, Lesson, Move, Status
from kernelwright.store.results import TaskResult
from kernelwright.store.rows import decode
from kernelwright.store.store import Store, open_store
from tests.agents.model_kit import BRIEF, TASK, file, view
from tests.store import samples

MACHINE = BRIEF.machine
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
    learn(store, samples.RUN_ID, TASK, attempts, proven(attempts), MACHINE)
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
    learn(store, samples.RUN_ID, TASK, history(), NOTHING, MACHINE)
    assert learnt(store, "offline") == []


def test_later_searches_are_shown_the_weightiest_and_always_the_same(store: Store) -> None:
    assert lessons_known(store, "run-a", TASK, MACHINE) == ()
    learnt(store)
    assert lessons_known(store, "run-a", TASK, MACHINE) == ()  # as when it began
    known = lessons_known(store, "run-b", TASK, MACHINE)
    assert [lesson.attempt for lesson in known] == [3, 0]
    assert "Change number 3. -> 2.00x (cpp; 95% interval " in planner_text(known)


def planner_text(lessons: tuple[Lesson, ...], leads_on: bool = True) -> str:
    seen = view(move=Move(leads_on=leads_on))
    return "\n".join(planner_context(seen, BRIEF._replace(lessons=lessons)).lessons)


def test_independent_attempts_and_other_backends_are_shown_none(store: Store) -> None:
    lessons = tuple(learnt(store))
    assert planner_text(lessons, leads_on=False) == ""
    other = tuple(lesson.model_copy(update={"backend": "cuda"}) for lesson in lessons)
    assert planner_text(other) == ""


def test_what_does_not_help_is_forgotten(store: Store) -> None:
    learnt(store)
    for number in range(9):
        learn(store, f"run-{number}", TASK, history(), NOTHING, MACHINE)
    assert lessons_known(store, "run-x", TASK, MACHINE) == ()
    known = store.lessons_for(TASK.category, "cpu")
    assert len(known) == 2 and all(0 < weight(lesson) < FORGOTTEN for lesson in known)


def test_what_helps_weighs_more(store: Store) -> None:
    (first, _) = learnt(store)
    other = first.model_copy(update={"run_id": "elsewhere", "misses": 1})
    store.put_lesson(other)
    attempts = history()
    learn(store, "run-y", TASK, attempts, proven(attempts), MACHINE)
    after = next(
        one for one in store.lessons_for(TASK.category, "cpu") if one.run_id != first.run_id
    )
    assert (after.helped, after.misses) == (1, 0)
    assert weight(after) > weight(first) > weight(other)


def test_a_planner_is_shown_no_more_than_a_few(store: Store) -> None:
    (first, _) = learnt(store)
    for index in range(20, 40):
        store.put_lesson(first.model_copy(update={"attempt": index, "gain": float(index)}))
    known = lessons_known(store, "run-z", TASK, MACHINE)
    assert [lesson.attempt for lesson in known] == list(range(39, 39 - KEPT, -1))
    assert shown(known) == list(known[:SHOWN])


def test_a_task_without_a_class_takes_that_of_its_trace(store: Store) -> None:
    unnamed = TASK.model_copy(update={"category": None})
    store.fix_facts(samples.RUN_ID, TASK.id, lambda: Facts(category="matmul"))
    attempts = history()
    learn(store, samples.RUN_ID, unnamed, attempts, proven(attempts), MACHINE)
    assert [lesson.category for lesson in store.lessons_for("matmul", "cpu")] == ["matmul"] * 2
    assert lessons_known(store, "run-b", unnamed, MACHINE) == ()
    store.fix_facts("run-c", TASK.id, lambda: Facts(category="matmul"))
    assert len(lessons_known(store, "run-c", unnamed, MACHINE)) == 2


HERE = Circumstances(
    bound="memory", bytes_moved=2**20, dtypes=("float32",), processor="any", units=("AVX2",)
)
OLD = Lesson(
    text="Fuse. ",
    category=TASK.category,
    backend="cpp",
    target="cpu",
    gain=2.0,
    run_id="old",
    task_id="made/other",
    attempt=0,
)


def test_other_features_weigh_less() -> None:
    assert match(HERE, HERE) == 1
    other = {"bound": "compute", "bytes_moved": 2**28, "dtypes": ("float16",), "units": ()}
    for name, value in other.items():
        factor = match(HERE, HERE.model_copy(update={name: value}))
        assert factor == (UNKNOWN if name == "units" else OTHER), name
    assert match(HERE, HERE.model_copy(update={"processor": "another"})) == 1
    assert match(HERE, HERE.model_copy(update={"bytes_moved": 2**20 + 4096})) == 1
    assert match(Circumstances(), HERE) == pytest.approx(UNKNOWN**4)


def test_what_was_measured_on_such_a_task_comes_first(store: Store) -> None:
    facts = Facts(bound="memory", bytes_moved=2**20, dtypes=("float32",))
    store.fix_facts("run-a", TASK.id, lambda: facts)
    here = setting_of(store, "run-a", TASK, MACHINE).on
    for run_id, on in (("far", here.model_copy(update={"bound": "compute"})), ("near", here)):
        gain = 2.0 if run_id == "near" else 2.5
        store.put_lesson(OLD.model_copy(update={"run_id": run_id, "on": on, "gain": gain}))
    store.put_lesson(OLD)  # of an earlier version, without features
    known = lessons_known(store, "run-a", TASK, MACHINE)
    assert [lesson.run_id for lesson in known] == ["near", "far", "old"]


def lost(run_id: str, text: str = "Keep two rows in registers.", **changes: Any) -> Lesson:
    known = {"run_id": run_id, "text": text, "gain": 0.8, "on": HERE}
    return OLD.model_copy(update={**known, **changes})


@pytest.mark.parametrize(
    ("lessons", "expected"),
    [
        ([lost("a")], 0),
        ([lost("a"), lost("b", "Keep two rows at once in registers")], 1),
        ([lost("a"), lost("b", "Tile for L1.")], 0),
        ([lost("a"), lost("b", backend="triton")], 0),
        ([lost("a"), lost("b", on=HERE.model_copy(update={"bound": "compute"}))], 0),
        ([lost("a"), lost("b"), lost("c", gain=1.5)], 0),
        ([lost("a"), lost("b"), lost("c"), lost("d", "Tile."), lost("e", "Tile.")], 2),
    ],
    ids="once twice other backend features won two".split(),
)
def test_a_change_that_lost_twice_on_the_same_features_is_told(
    store: Store, lessons: list[Lesson], expected: int
) -> None:
    for lesson in lessons:
        store.put_lesson(lesson)
    known = lessons_known(store, "run-a", TASK, MACHINE)
    told = [lesson for lesson in shown(known) if lesson.is_loss]
    assert len(told) == expected <= SHOWN_LOSSES
    assert planner_text(known).count("slower, 0.80x") == expected


def test_a_solution_of_the_task_itself_is_not_given_away(store: Store) -> None:
    learnt(store)
    own = lessons_known(store, "run-b", TASK, MACHINE)
    assert [lesson.difference for lesson in own] == [None, None]
    renamed = TASK.model_copy(update={"id": "made/again"})
    same = lessons_known(store, "run-b", renamed, MACHINE)
    assert [lesson.difference for lesson in same] == [None, None]
    other = renamed.model_copy(update={"source": TASK.source + "# another\n"})
    elsewhere = lessons_known(store, "run-c", other, MACHINE)
    assert all("+VARIANT = " in (lesson.difference or "") for lesson in elsewhere)


def test_help_and_harm_are_counted(store: Store) -> None:
    learnt(store)
    store.put_lesson(OLD)
    attempts = history()
    for run_id, result in (("run-1", NOTHING), ("run-2", proven(attempts)), ("run-3", NOTHING)):
        learn(store, run_id, TASK.model_copy(update={"id": run_id}), attempts, result, MACHINE)
    counts = {
        (lesson.task_id, lesson.attempt): (lesson.helped, lesson.misses, lesson.harmed)
        for lesson in store.lessons_for(TASK.category, "cpu")
    }
    assert counts[TASK.id, 3] == (1, 1, 2)
    assert counts["made/other", 0] == (1, 1, None)


def test_a_search_without_a_win_teaches_what_lost(store: Store) -> None:
    slow = step(1, 1.1, 0)
    learn(store, samples.RUN_ID, TASK, [step(0, 1.5, None), slow], NOTHING, MACHINE)
    (card,) = store.lessons_for(TASK.category, "cpu")
    assert card.is_loss and card.attempt == 1 and card.gain == pytest.approx(1.1 / 1.5, abs=0.001)


def test_a_lesson_of_an_earlier_version_is_read() -> None:
    stored = """{"text": "Fuse.", "category": "normalization", "backend": "cpp", "target": "cpu",
        "gain": 1.5, "run_id": "a", "task_id": "b", "attempt": 0, "helped": 1, "misses": 2}"""
    lesson = decode(Lesson, stored)
    unknown = (lesson.interval, lesson.difference, lesson.on, lesson.failures, lesson.harmed)
    assert unknown == (None,) * 5 and not lesson.is_loss

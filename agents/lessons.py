"""Lessons memory: what proven wins were made of, shown to later searches of the same kind.

A lesson is the plan of one step on the way to a file that was proven at `strict`, with what that
step gained. Nothing else is remembered: no text of an attempt that was not verified. A lesson that
is shown and does not help counts for less each time, and in the end is not shown.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence

from kernelwright.agents.search.ranking import eager_speedup
from kernelwright.schema import Attempt, Lesson, Target, Task
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store

SHOWN = 3
LEAST_GAIN = 1.05
CHARACTERS = 160
DECAY = 0.6
"""Factor on a lesson's weight, for every task that it was shown for in vain."""
FORGOTTEN = 0.02
"""Weight below which a lesson is not shown: about half of LEAST_GAIN's."""
_EXPECTED = re.compile(r"\s*\(expected [^)]*\)$")


def lessons_shown(store: Store, run_id: str, task: Task, kind: str) -> tuple[Lesson, ...]:
    """Return the lessons that the search of a task is shown, the weightiest first."""
    target, category = _target(kind), _category(store, run_id, task)

    def choose() -> list[Lesson]:
        known = store.lessons_for(category, target) if category else []
        kept = [lesson for lesson in known if weight(lesson) >= FORGOTTEN]
        return sorted(kept, key=lambda lesson: -weight(lesson))[:SHOWN]

    return tuple(store.fix_lessons(run_id, task.id, choose))


def weight(lesson: Lesson) -> float:
    """Return a lesson's weight: its log gain, more for tasks it helped, less for misses."""
    return math.log(lesson.gain) * (1 + lesson.helped) * DECAY**lesson.misses


def learn(
    store: Store, run_id: str, task: Task, history: Sequence[Attempt], result: TaskResult, kind: str
) -> None:
    """Store the steps of a proven win as lessons, and how the shown lessons have done.

    Args:
        kind: of the device, `cpu` or `cuda`.
    """
    if not any(a.candidate and a.candidate.origin.kind == "model" for a in history):
        return  # no model was shown anything
    improved = result.status == "improved"
    for shown in lessons_shown(store, run_id, task, kind):
        _count(store, shown, improved)
    if improved:
        category = _category(store, run_id, task)
        for lesson in _steps(task, category, _target(kind), history, result):
            store.put_lesson(lesson)


def _category(store: Store, run_id: str, task: Task) -> str | None:
    """Return the operator class that a task's file names, or that its trace shows."""
    facts = store.facts_of(run_id, task.id)
    return task.category or (facts.category if facts else None)


def _target(kind: str) -> Target:
    return "cpu" if kind == "cpu" else "cuda"


def _count(store: Store, shown: Lesson, improved: bool) -> None:
    same = (shown.run_id, shown.task_id, shown.attempt)
    known = store.lessons_for(shown.category, shown.target)
    for lesson in known:
        if (lesson.run_id, lesson.task_id, lesson.attempt) == same:
            change = (
                {"helped": lesson.helped + 1, "misses": 0}
                if improved
                else {"misses": lesson.misses + 1}
            )
            store.put_lesson(lesson.model_copy(update=change))


def _steps(
    task: Task,
    category: str | None,
    target: Target,
    history: Sequence[Attempt],
    result: TaskResult,
) -> Iterator[Lesson]:
    """Yield the steps to the proven file that gained something, if a model planned them."""
    by_index = {attempt.index: attempt for attempt in history}
    proven = (a for a in history if a.candidate and a.candidate.hash == result.candidate_hash)
    step = next(proven, None)
    while step is not None and step.candidate is not None:
        before = by_index.get(step.move.parent) if step.move.parent is not None else None
        gain = _gain(step, before)
        is_planned = step.candidate.origin.kind == "model" and not step.move.is_free
        if is_planned and gain >= LEAST_GAIN:
            yield Lesson(
                text=textwrap.shorten(_EXPECTED.sub("", step.plan), CHARACTERS, placeholder=" ..."),
                category=category,
                backend=step.candidate.backend,
                target=target,
                gain=round(gain, 3),
                run_id=step.run_id,
                task_id=task.id,
                attempt=step.index,
            )
        step = before


def _gain(step: Attempt, before: Attempt | None) -> float:
    own, earlier = eager_speedup(step), 1.0 if before is None else eager_speedup(before)
    return own / earlier if own and earlier else 0.0

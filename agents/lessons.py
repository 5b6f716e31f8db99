"""Lessons memory: skill cards of what was measured, shown to later searches of the same kind.

A card is the plan of one step on the way to a file that was proven at `strict`, with what that step
gained; or an idea whose code was right and clearly slower. Nothing else is remembered: no text of
an attempt that was not verified. A card that is shown and does not help counts for less each time,
and in the end is not shown. One that lost is shown once two like it have lost, and none has won.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from kernelwright.agents.cards import Setting, gains, losses, shown
from kernelwright.agents.vocabulary import vocabulary
from kernelwright.prompts.device import processor_of
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Circumstances, Facts, Lesson, Task
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store

KEPT = 12
"""Most cards of each kind that a task's search can look up."""
DECAY = 0.6
"""Factor on a lesson's weight, for every task that it was shown for in vain."""
FORGOTTEN = 0.02
"""Weight below which a lesson is not shown: about half of LEAST_GAIN's."""
OTHER, UNKNOWN = 0.5, 0.8
"""Factors on a card's score for each feature that differs, or that one side does not know."""
ALIKE = 0.5
"""Share of common words from which two changes are taken for the same one."""


def setting_of(store: Store, run_id: str, task: Task, machine: Machine) -> Setting:
    """Return the features of a task, as they were measured and traced, and of the machine."""
    facts, processor = store.facts_of(run_id, task.id) or Facts(), processor_of(machine)
    return Setting(
        task=task,
        category=task.category or facts.category,
        target="cpu" if machine.kind == "cpu" else "cuda",
        on=Circumstances(
            bound=facts.bound,
            bytes_moved=facts.bytes_moved,
            dtypes=facts.dtypes,
            processor=processor.name,
            units=processor.units,
        ),
    )


def lessons_known(store: Store, run_id: str, task: Task, machine: Machine) -> tuple[Lesson, ...]:
    """Return the lessons that the search of a task may look up, the best first, losses last.

    A lesson of the task itself lacks its code, which would give the solution away.
    """
    setting = setting_of(store, run_id, task, machine)

    def choose() -> list[Lesson]:
        category = setting.category
        stored = store.lessons_for(category, setting.target) if category else []
        known = [lesson for lesson in stored if weight(lesson) >= FORGOTTEN]
        known.sort(key=lambda lesson: -score(lesson, setting.on))
        won = [lesson for lesson in known if not lesson.is_loss]
        found = won[:KEPT] + list(_confirmed(known))[:KEPT]
        return [_without_own_code(lesson, task) for lesson in found]

    return tuple(store.fix_lessons(run_id, task.id, choose))


def weight(lesson: Lesson) -> float:
    """Return a lesson's weight: its log gain, more for tasks it helped, less for misses."""
    return abs(math.log(lesson.gain)) * (1 + lesson.helped) * DECAY**lesson.misses


def score(lesson: Lesson, here: Circumstances) -> float:
    """Return a lesson's weight on a task and machine: less for every feature that differs."""
    return weight(lesson) * match(lesson.on or Circumstances(), here)


def match(one: Circumstances, other: Circumstances) -> float:
    """Return 1 for the same features: bound, size (to a factor of 16), types, vector units."""
    pairs = zip(_features(one), _features(other), strict=True)
    return math.prod(_same(left, right) for left, right in pairs)


def learn(
    store: Store,
    run_id: str,
    task: Task,
    history: Sequence[Attempt],
    result: TaskResult,
    machine: Machine,
) -> None:
    """Store what a task's search has taught as lessons, and how the shown lessons have done."""
    if not any(a.candidate and a.candidate.origin.kind == "model" for a in history):
        return  # no model was shown anything
    improved = result.status == "improved"
    for lesson in shown(lessons_known(store, run_id, task, machine)):
        _count(store, lesson, improved)
    setting = setting_of(store, run_id, task, machine)
    for lesson in gains(setting, history, result) if improved else ():
        store.put_lesson(lesson)
    for lesson in losses(setting, history):
        store.put_lesson(lesson)


def _features(on: Circumstances) -> tuple[Any, ...]:
    size = None if on.bytes_moved is None else on.bytes_moved.bit_length() // 4
    return on.bound, size, on.dtypes or None, on.units or None


def _same(left: object, right: object) -> float:
    if left == right:
        return 1.0
    return UNKNOWN if left is None or right is None else OTHER


def _confirmed(lessons: Sequence[Lesson]) -> Iterator[Lesson]:
    """Yield each change that has lost twice or more on the same features, once, if none won."""
    met: list[Lesson] = []
    for lesson in lessons:
        like = [one for one in lessons if _are_alike(one, lesson)]
        lost_again = len(like) > 1 and all(one.is_loss for one in like)
        if lost_again and not any(_are_alike(one, lesson) for one in met):
            met.append(lesson)
            yield lesson


def _are_alike(one: Lesson, other: Lesson) -> bool:
    """Whether two lessons are of the same change on the same features."""
    own, others = vocabulary(one.text), vocabulary(other.text)
    common = len(own & others) / max(len(own | others), 1)
    same = match(one.on or Circumstances(), other.on or Circumstances()) == 1
    return common >= ALIKE and one.backend == other.backend and same


def _without_own_code(lesson: Lesson, task: Task) -> Lesson:
    is_own = lesson.task_id == task.id or lesson.task_hash == task.hash
    return lesson.model_copy(update={"difference": None}) if is_own else lesson


def _count(store: Store, told: Lesson, improved: bool) -> None:
    same = (told.run_id, told.task_id, told.attempt)
    for lesson in store.lessons_for(told.category, told.target):
        if (lesson.run_id, lesson.task_id, lesson.attempt) == same:
            store.put_lesson(lesson.model_copy(update=_counted(lesson, improved)))


def _counted(lesson: Lesson, improved: bool) -> dict[str, int | None]:
    if improved:
        return {"helped": lesson.helped + 1, "misses": 0}
    harmed = None if lesson.harmed is None else lesson.harmed + 1
    return {"misses": lesson.misses + 1, "harmed": harmed}

"""Skill cards: what a search's steps to a proven file gained, and which of its ideas lost."""

from __future__ import annotations

import difflib
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kernelwright.agents.search.ideas import tree
from kernelwright.agents.search.lineage import ancestors, begun_with
from kernelwright.agents.search.ranking import eager_speedup, speedup_of
from kernelwright.kernels.runtime import shortened
from kernelwright.schema import (
    Attempt,
    Circumstances,
    Evaluation,
    Lesson,
    Speedup,
    Status,
    Target,
    Task,
)
from kernelwright.store.results import TaskResult

LEAST_GAIN = 1.05
"""A smaller gain is no card; nor is a loss of less than its inverse."""
SHOWN, SHOWN_LOSSES = 3, 2
"""Most cards that a planner is shown."""
CHARACTERS = 160
LONGEST_DIFFERENCE = 3_500
_EXPECTED = re.compile(r"\s*\(expected [^)]*\)$")


class Setting(NamedTuple):
    """The features that all cards of one task of a run share."""

    task: Task
    category: str | None
    """Operator class; None when unknown."""
    target: Target
    on: Circumstances


def gains(setting: Setting, history: Sequence[Attempt], result: TaskResult) -> Iterator[Lesson]:
    """Yield the steps to the proven file that gained something, if a model planned them.

    A repair counts as the step that its first file was written for.
    """
    proven = (a for a in history if a.candidate and a.candidate.hash == result.candidate_hash)
    step = next(proven, None)
    while step is not None:
        card = _card(setting, history, step)
        if card is not None and card.gain >= LEAST_GAIN:
            yield card
        step = _before(history, step)


def losses(setting: Setting, history: Sequence[Attempt]) -> Iterator[Lesson]:
    """Yield the ideas that were realised right, and whose best code was clearly slower."""
    for node in tree(history):
        right = [one for one in node.attempts if eager_speedup(one) is not None]
        if node.state != "right but slower" or not right:
            continue
        best = max(right, key=lambda one: eager_speedup(one) or 0.0)
        card = _card(setting, history, best)
        if card and card.interval and card.interval[1] < 1 and card.gain * LEAST_GAIN <= 1:
            yield card


def shown(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Return those of a task's lessons that its planner is shown."""
    won = [lesson for lesson in lessons if not lesson.is_loss]
    lost = [lesson for lesson in lessons if lesson.is_loss]
    return won[:SHOWN] + lost[:SHOWN_LOSSES]


def card_line(card: Lesson) -> str:
    """Return a card in one line, without its code."""
    outcome = f"slower, {card.gain:.2f}x" if card.is_loss else f"{card.gain:.2f}x"
    return f"{card.text} -> {outcome} ({'; '.join(_details(card))})"


def ratio(after: Speedup, before: Speedup) -> Speedup:
    """Return the ratio of two speedups over the same baseline, taken to err independently.

    Half-widths of the intervals' logarithms are added as squares.
    """
    median = after.median / before.median
    widths = [math.log(one.ci95[1] / one.ci95[0]) / 2 for one in (after, before)]
    factor = math.exp(math.hypot(*widths))
    return Speedup(median=median, ci95=(median / factor, median * factor))


def difference(before: str, after: str) -> str:
    """Return the unified difference of two files, runtimes by name, cut after so many lines."""
    texts = (shortened(before).splitlines(), shortened(after).splitlines())
    lines = list(difflib.unified_diff(*texts, "before", "after", n=2, lineterm=""))
    length, kept = 0, 0
    for line in lines:
        length += len(line) + 1
        if length > LONGEST_DIFFERENCE:
            break
        kept += 1
    left = len(lines) - kept
    return "\n".join([*lines[:kept], *([f"[... {left} more lines]"] if left else [])])


def _card(setting: Setting, history: Sequence[Attempt], step: Attempt) -> Lesson | None:
    """Return the card of a step; None where it was not measured, or no model made it."""
    made, before = step.candidate, _before(history, step)
    after = _speedup(step)
    earlier = Speedup(median=1.0, ci95=(1.0, 1.0)) if before is None else _speedup(before)
    is_planned = made is not None and made.origin.kind == "model" and not step.move.is_free
    if made is None or not is_planned or after is None or earlier is None:
        return None
    code = before.candidate.source if before and before.candidate else setting.task.source
    plan, gain = begun_with(history, step).plan, ratio(after, earlier)
    return Lesson(
        text=textwrap.shorten(_EXPECTED.sub("", plan), CHARACTERS, placeholder=" ..."),
        category=setting.category,
        backend=made.backend,
        target=setting.target,
        gain=round(gain.median, 3),
        interval=gain.ci95,
        difference=difference(code, made.source),
        on=setting.on,
        failures=tuple(_failures(history, step)),
        run_id=step.run_id,
        task_id=setting.task.id,
        task_hash=setting.task.hash,
        attempt=step.index,
        harmed=0,
    )


def _before(history: Sequence[Attempt], step: Attempt) -> Attempt | None:
    """Return the attempt that a step's idea went on from; None for the reference."""
    return next(ancestors(history, begun_with(history, step)), None)


def _speedup(attempt: Attempt) -> Speedup | None:
    found = attempt.evaluation
    if speedup_of(found) is None:
        return None
    assert found is not None and found.gain is not None
    return found.gain.speedup


def _failures(history: Sequence[Attempt], step: Attempt) -> Iterator[str]:
    """Yield the statuses of the files that were repaired on the way to a step, in order."""
    first, line = begun_with(history, step), [step, *ancestors(history, step)]
    for attempt in reversed(line[1 : line.index(first) + 1]):
        if attempt.evaluation is not None:
            yield _failure(attempt.evaluation)


def _failure(found: Evaluation) -> str:
    return "refused" if found.status is Status.PASSED else found.status.value


def _details(card: Lesson) -> Iterator[str]:
    yield card.backend
    if card.interval is not None:
        yield f"95% interval {card.interval[0]:.2f} to {card.interval[1]:.2f}"
    if card.on is not None:
        on = card.on
        yield from [f"{on.bound}-bound"] if on.bound else []
        yield from [f"{on.bytes_moved / 1e6:.3g} MB a call"] if on.bytes_moved else []
        yield from [", ".join(on.dtypes)] if on.dtypes else []
        yield from [on.units[0]] if on.units else []
    if card.failures:
        yield f"failed at first: {', '.join(card.failures)}"
    if card.helped or card.harmed:
        yield f"shown since for {card.helped} improved tasks, {card.harmed or 0} others"

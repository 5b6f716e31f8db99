"""The planner: what it is shown, and its answer, one idea."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from kernelwright.agents.model.answers import JSON_ONLY, Answer, BadAnswer, read_answer
from kernelwright.agents.model.context import (
    common_context,
    one_line,
    other_code,
    shown_code,
    shown_reason,
    what_was_found,
)
from kernelwright.agents.proposer import Idea, View
from kernelwright.llm.base import Completion
from kernelwright.prompts.context import Context
from kernelwright.prompts.hints import hints
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Lesson

REPAIR = "repair: "
PLAIN_IDEA = "the one change with the largest gain that can be written correctly in one go"
IDEA_CHARACTERS = 800
REPAIR_CHARACTERS = 200


class Change(Answer):
    """The one thing to do next."""

    change: str
    backend: str
    expected_speedup: float = Field(gt=0, allow_inf_nan=False)
    """Time of the code that is changed over the time expected after it."""


class PlannerAnswer(Answer):
    """The planner's answer."""

    ideas: tuple[str, ...] = Field(min_length=1)
    """Algorithms in words, before one is chosen."""
    chosen: Change


def read_plan(completion: Completion, backends: Sequence[str]) -> PlannerAnswer:
    """Read the planner's answer. Raises BadAnswer, also for a backend that may not be used."""
    plan = read_answer(completion, PlannerAnswer)
    if plan.chosen.backend not in backends:
        raise BadAnswer(
            f"chosen.backend is {plan.chosen.backend!r}; it must be one of: {', '.join(backends)}.",
            JSON_ONLY,
        )
    return plan


def planner_context(
    view: View, machine: Machine, seed: int, lessons: Sequence[Lesson] = ()
) -> Context:
    """Return a context with the code to go on from, its diagnosis, failures, and drawn hints.

    Args:
        seed: draws the hints.
        lessons: of other tasks; not shown to a start that is meant to be independent.
    """
    allowed = [lesson for lesson in lessons if lesson.backend in view.backends]
    return common_context(view, machine).model_copy(
        update={
            "code": shown_code(view, view.parent, machine.device),
            "others": other_code(view, machine.device),
            "direction": view.move.direction,
            "user_hints": view.move.hints,
            **what_was_found(view, machine.device),
            "lessons": tuple(map(_lesson, allowed)) if view.move.leads_on else (),
            "moves": hints(machine.device, seed, view.position),
        }
    )


def _lesson(lesson: Lesson) -> str:
    return f"{lesson.text} -> {lesson.gain:.2f}x ({lesson.backend})"


def plain_idea(view: View) -> Idea:
    """Return the idea that takes the place of a planner's answer that could not be used."""
    return Idea(text=PLAIN_IDEA, backend=view.backends[0])


def idea_of(plan: PlannerAnswer) -> Idea:
    """Return the idea that the planner chose."""
    chosen = plan.chosen
    text = f"{one_line(chosen.change, IDEA_CHARACTERS)} (expected {chosen.expected_speedup:.3g}x)"
    return Idea(text=text, backend=chosen.backend)


def repair_idea(view: View, device: str) -> Idea:
    """Return the idea to repair the parent, in words of what went wrong; it costs no call."""
    failed = view.parent
    assert failed is not None and failed.evaluation is not None and failed.candidate is not None
    reason = shown_reason(view.task, device, failed.evaluation)
    text = REPAIR + one_line(reason, REPAIR_CHARACTERS)
    return Idea(text=text, backend=failed.candidate.backend)

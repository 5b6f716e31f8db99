"""The planner: what it is shown, and its answer, one idea."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from kernelwright.agents.model.answers import JSON_ONLY, Answer, BadAnswer, read_answer
from kernelwright.agents.model.context import (
    Brief,
    common_context,
    other_code,
    shown_code,
    what_was_found,
)
from kernelwright.agents.model.words import one_line, shown_reason
from kernelwright.agents.proposer import Idea, View
from kernelwright.llm.base import Completion
from kernelwright.prompts.context import Context
from kernelwright.prompts.hints import hints
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


def planner_context(view: View, brief: Brief) -> Context:
    """Return a context with the code to go on from, what was found so far, and drawn hints.

    A start that is meant to be independent is shown no lessons.
    """
    common, machine = common_context(view, brief), brief.machine
    lessons = [one for one in brief.lessons if one.backend in common.backends]
    drawn = hints(
        machine.device,
        brief.seed,
        view.position,
        policy=brief.policy,
        dtypes=brief.facts.dtypes,
    )
    return common.model_copy(
        update={
            "code": shown_code(view, view.parent, machine.device),
            "others": other_code(view, machine.device),
            "direction": view.move.direction,
            "user_hints": view.move.hints,
            **what_was_found(view, machine.device),
            "lessons": tuple(map(_lesson, lessons)) if view.move.leads_on else (),
            "moves": drawn,
        }
    )


def _lesson(lesson: Lesson) -> str:
    return f"{lesson.text} -> {lesson.gain:.2f}x ({lesson.backend})"


def plain_idea(backends: Sequence[str]) -> Idea:
    """Return the idea that takes the place of a planner's answer that could not be used."""
    return Idea(text=PLAIN_IDEA, backend=backends[0])


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

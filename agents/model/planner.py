"""The planner: what it is shown, and its answer, ideas and the one to realise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from kernelwright.agents.cards import card_line, shown
from kernelwright.agents.model.answers import JSON_ONLY, Answer, BadAnswer, read_answer
from kernelwright.agents.model.context import (
    Brief,
    common_context,
    contrast,
    other_code,
    shown_code,
    what_was_found,
)
from kernelwright.agents.model.history import unwritten
from kernelwright.agents.model.words import one_line, shown_reason
from kernelwright.agents.proposer import Idea, View
from kernelwright.agents.search.ideas import MOST_IDEAS, name_of, tree
from kernelwright.llm.base import Completion
from kernelwright.prompts.context import Context
from kernelwright.prompts.hints import hints
from kernelwright.schema import IdeaCard

REPAIR = "repair: "
PLAIN_IDEA = "the one change with the largest gain that can be written correctly in one go"
IDEA_CHARACTERS = 800
REPAIR_CHARACTERS = 200


class Approach(Answer):
    """An idea, before one is chosen."""

    text: str
    backend: str | None = None
    expected_speedup: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _words_alone(cls, given: Any) -> Any:
        return {"text": given} if isinstance(given, str) else given


class Change(Answer):
    """The one thing to do next."""

    idea: int | str | None = None
    """Number of one of the answer's ideas, from 1, or the name of an open one."""
    change: str
    backend: str
    expected_speedup: float = Field(gt=0, allow_inf_nan=False)
    """Time of the code that is changed over the time expected after it."""


class PlannerAnswer(Answer):
    """The planner's answer."""

    ideas: tuple[Approach, ...] = Field(min_length=1)
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
            "contrast": contrast(view, machine.device) if view.move.leads_on else (),
            "ideas": unwritten(view) if view.move.leads_on else (),
            "lessons": tuple(map(card_line, shown(lessons))) if view.move.leads_on else (),
            "moves": drawn,
        }
    )


def plain_idea(backends: Sequence[str]) -> Idea:
    """Return the idea that takes the place of a planner's answer that could not be used."""
    return Idea(text=PLAIN_IDEA, backend=backends[0])


def idea_of(plan: PlannerAnswer, view: View, backends: Sequence[str]) -> Idea:
    """Return the idea that the planner chose, with all that it had.

    A choice that names none of them, nor an earlier one, is an idea more.
    """
    chosen = plan.chosen
    ideas = tuple(
        IdeaCard(
            text=one_line(one.text, IDEA_CHARACTERS),
            backend=one.backend if one.backend in backends else None,
            expected=one.expected_speedup,
        )
        for one in plan.ideas[: MOST_IDEAS - 1]
    )
    names = {str(place + 1): name_of(view.position, place) for place in range(len(ideas))}
    names |= {node.name: node.name for node in tree(view.attempts) if node.is_planners}
    name = names.get(str(chosen.idea))
    change = one_line(chosen.change, IDEA_CHARACTERS)
    if name is None:
        name = name_of(view.position, len(ideas))
        own = IdeaCard(text=change, backend=chosen.backend, expected=chosen.expected_speedup)
        ideas = (*ideas, own)
    text = f"{change} (expected {chosen.expected_speedup:.3g}x)"
    return Idea(text=text, backend=chosen.backend, name=name, ideas=ideas)


def known_idea(view: View, backends: Sequence[str]) -> Idea | None:
    """Return the earlier idea that the search strategy chose; None where it chose none.

    One for no certain backend is realised in that of the code to go on from.
    """
    nodes = (node for node in tree(view.attempts) if node.is_planners)
    node = next((node for node in nodes if node.name == view.move.idea), None)
    if node is None:
        return None
    parent = view.parent.candidate if view.parent else None
    wanted = [node.card.backend, parent.backend if parent else None]
    backend = next((one for one in wanted if one in backends), None) or backends[0]
    expected = f" (expected {node.expected:.3g}x eager)" if node.expected else ""
    return Idea(text=node.card.text + expected, backend=backend, name=node.name)


def repair_idea(view: View, device: str) -> Idea:
    """Return the idea to repair the parent, in words of what went wrong; it costs no call."""
    failed = view.parent
    assert failed is not None and failed.evaluation is not None and failed.candidate is not None
    reason = shown_reason(view.task, device, failed.evaluation)
    text = REPAIR + one_line(reason, REPAIR_CHARACTERS)
    return Idea(text=text, backend=failed.candidate.backend)

"""A language model as the workflow's planner, coder and profiler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kernelwright.agents.model.answers import BadAnswer, Diagnosis, Plan, read_answer, read_plan
from kernelwright.agents.model.calls import Caller
from kernelwright.agents.model.codefile import FILE_ONLY, read_file
from kernelwright.agents.model.context import (
    coder_context,
    one_line,
    planner_context,
    profiler_context,
    shown_reason,
)
from kernelwright.agents.proposer import Idea, View
from kernelwright.backends.registry import guess_backend
from kernelwright.llm.base import Completion
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Candidate, Lesson, Origin, Status, Usage

REPAIR = "repair: "
PLAIN_IDEA = "the one change with the largest gain that can be written correctly in one go"
IDEA_CHARACTERS = 800
REPAIR_CHARACTERS = 200


class ModelProposer:
    """Proposes for one task. Every step but a repair's plan is at least one model call.

    Args:
        caller: makes the calls, with the model of each role.
        seed: draws the optimizations that the planner is reminded of.
        lessons: what the planner is told of other tasks.
        edits: ask for changes to code that there is; after one that does not fit, for the file.

    All steps raise BudgetExhausted instead of making a call that the budget does not allow, and
    InfrastructureError (ProviderError) when the provider fails for good.
    """

    def __init__(
        self,
        caller: Caller,
        machine: Machine,
        seed: int,
        lessons: Sequence[Lesson] = (),
        edits: bool = False,
    ) -> None:
        self._caller = caller
        self._machine = machine
        self._seed = seed
        self._lessons = lessons
        self._edits = edits

    @property
    def name(self) -> str:
        """The coder's `provider/name`."""
        return self._caller.model("coder")

    def plan(self, view: View) -> Idea | None:
        """The planner's choice, in words; for a repair, what went wrong, which costs no call.

        Where no answer can be used, the coder gets a plain idea. None without a backend.
        """
        if not view.backends:
            return None
        if view.move.operator == "repair":
            return self._repair(view)
        context = planner_context(view, self._machine, self._seed, self._lessons)
        read = partial(read_plan, backends=view.backends)
        return _idea(view, self._caller.ask(view.position, "planner", context, read))

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """The coder's file for an idea; None where three answers could not be used.

        A repair shows the failed file with its error, everything else what it goes on from.
        """
        context = coder_context(view, self._machine, idea, self._edits)
        read = partial(_read_source, view=view)
        source = self._caller.ask(view.position, "coder", context, read)
        if source is None:
            return None
        origin = Origin(
            kind="model",
            model=self.name,
            prompt_hash=self._caller.prompt_hash("coder", context),
            description=idea.text,
        )
        return Candidate(
            source=source, backend=guess_backend(source), parents=_parents(view), origin=origin
        )

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """The profiler's bottleneck and fix; empty where no answer can be used.

        A compiler's error is known already: nothing is asked about that.
        """
        found = attempt.evaluation
        if found is None or found.status is Status.COMPILE_ERROR:
            return ""
        context = profiler_context(view, attempt, self._machine)
        read = partial(read_answer, kind=Diagnosis)
        answer = self._caller.ask(view.position, "profiler", context, read)
        return str(answer) if answer else ""

    def usage(self, index: int) -> Usage:
        """Sum over an attempt's calls; a part that one of them lacks is None."""
        return self._caller.usage(index)

    def _repair(self, view: View) -> Idea:
        failed = view.parent
        assert failed is not None and failed.evaluation is not None and failed.candidate is not None
        reason = shown_reason(view.task, self._machine.device, failed.evaluation)
        text = REPAIR + one_line(reason, REPAIR_CHARACTERS)
        return Idea(text=text, backend=failed.candidate.backend)


def _idea(view: View, plan: Plan | None) -> Idea:
    if plan is None:
        return Idea(text=PLAIN_IDEA, backend=view.backends[0])
    chosen = plan.chosen
    text = f"{one_line(chosen.change, IDEA_CHARACTERS)} (expected {chosen.expected_speedup:.3g}x)"
    return Idea(text=text, backend=chosen.backend)


def _read_source(completion: Completion, view: View) -> str:
    # A file without a verdict may come again.
    earlier = [a.candidate.source for a in view.attempts if a.candidate and a.evaluation]
    parent = view.parent.candidate if view.parent else None
    base = parent.source if parent else None
    source = read_file(completion, view.task.source, earlier, base)
    backend = guess_backend(source)
    if backend not in view.backends:
        allowed = ", ".join(view.backends)
        raise BadAnswer(
            f"Your file uses backend {backend!r}; it must use one of: {allowed}. {FILE_ONLY}"
        )
    return source


def _parents(view: View) -> tuple[str, ...]:
    made_from = [view.parent, *view.others]
    return tuple(a.candidate.hash for a in made_from if a is not None and a.candidate)

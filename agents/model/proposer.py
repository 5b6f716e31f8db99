"""A language model as the workflow's planner, coder and profiler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kernelwright.agents.model.answers import BadAnswer, Diagnosis, Plan, read_answer, read_plan
from kernelwright.agents.model.budget import Budget
from kernelwright.agents.model.calls import Caller
from kernelwright.agents.model.codefile import FILE_ONLY, read_file
from kernelwright.agents.model.context import (
    accepted_parent,
    coder_context,
    one_line,
    planner_context,
    profiler_context,
    shown_reason,
)
from kernelwright.agents.model.limits import REPAIRS_IN_A_ROW
from kernelwright.agents.proposer import Idea, View
from kernelwright.backends.registry import guess_backend
from kernelwright.llm.base import LLM, Completion
from kernelwright.prompts.render import render
from kernelwright.schema import (
    Attempt,
    Candidate,
    ModelCall,
    Origin,
    Status,
    Usage,
    digest,
)
from kernelwright.verifier.workers import Machine

REPAIR = "repair: "
PLAIN_IDEA = "the one change with the largest gain that can be written correctly in one go"
IDEA_CHARACTERS = 800
REPAIR_CHARACTERS = 200


class ModelProposer:
    """Proposes for one task. Every step but a repair's plan is at least one model call.

    Args:
        budget: shared by all proposers of a run.
        record: stores a model call before its answer is used.
        seed: draws the optimizations that the planner is reminded of.

    All steps raise BudgetExhausted instead of making a call that the budget does not allow, and
    InfrastructureError (ProviderError) when the provider fails for good.
    """

    def __init__(
        self,
        llm: LLM,
        machine: Machine,
        budget: Budget,
        record: Callable[[ModelCall], None],
        seed: int,
    ) -> None:
        self._llm = llm
        self._machine = machine
        self._seed = seed
        self._caller = Caller(llm, budget, record)
        self._unusable: list[str] = []
        self._unrepaired_at: int | None = None

    @property
    def name(self) -> str:
        """The model's `provider/name`."""
        return self._llm.name

    def plan(self, view: View) -> Idea | None:
        """The planner's choice, in words.

        A failed last attempt is repaired without asking the planner: its reason is the plan. That
        happens at most REPAIRS_IN_A_ROW times, and not again after a repair that gave no code.
        Where no answer can be used, the coder gets a plain idea. None without a backend.
        """
        if not view.backends:
            return None
        if self._may_repair(view):
            return self._repair(view)
        context = planner_context(view, self._machine, self._unusable, self._seed)
        read = partial(read_plan, backends=view.backends)
        return _idea(view, self._caller.ask("planner", render("planner", context), read))

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """The coder's file for an idea; None where three answers could not be used.

        A repair shows the failed file with its error, everything else the best one.
        """
        repair = idea.text.startswith(REPAIR)
        base = view.last if repair else accepted_parent(view)
        context = coder_context(view, self._machine, self._unusable, idea, base)
        messages = render("coder", context)
        source = self._caller.ask("coder", messages, partial(_read_source, view=view))
        if source is None:
            self._unusable.append(one_line(idea.text, IDEA_CHARACTERS))
            self._unrepaired_at = len(view.attempts)
            return None
        origin = Origin(
            kind="model",
            model=self._llm.name,
            prompt_hash=digest([message.model_dump() for message in messages]),
            description=idea.text,
        )
        return Candidate(
            source=source, backend=guess_backend(source), parents=_parents(base), origin=origin
        )

    def diagnose(self, view: View) -> str:
        """The profiler's bottleneck and fix; empty where no answer can be used.

        Nothing is asked where nobody would read the answer (a strategy that always starts afresh),
        or where it is known (a compiler's error).
        """
        last = view.last
        if last is None or last.evaluation is None or view.parent is None:
            return ""
        if last.evaluation.status is Status.COMPILE_ERROR:
            return ""
        messages = render("profiler", profiler_context(view, self._machine))
        answer = self._caller.ask("profiler", messages, partial(read_answer, kind=Diagnosis))
        return str(answer) if answer else ""

    def take_usage(self) -> Usage:
        """Sum over the calls since this was last called; a part that one of them lacks is None."""
        return self._caller.take_usage()

    def _may_repair(self, view: View) -> bool:
        last = view.last
        if view.parent is None or last is None or last.evaluation is None:
            return False
        if last.evaluation.accepted or self._unrepaired_at == len(view.attempts):
            return False
        return not all(a.plan.startswith(REPAIR) for a in view.attempts[-REPAIRS_IN_A_ROW:])

    def _repair(self, view: View) -> Idea:
        last = view.last
        assert last is not None and last.evaluation is not None and last.candidate is not None
        reason = shown_reason(view.task, self._machine.device, last.evaluation)
        text = REPAIR + one_line(reason, REPAIR_CHARACTERS)
        return Idea(text=text, backend=last.candidate.backend)


def _idea(view: View, plan: Plan | None) -> Idea:
    if plan is None:
        return Idea(text=PLAIN_IDEA, backend=view.backends[0])
    chosen = plan.chosen
    text = f"{one_line(chosen.change, IDEA_CHARACTERS)} (expected {chosen.expected_speedup:.3g}x)"
    return Idea(text=text, backend=chosen.backend)


def _read_source(completion: Completion, view: View) -> str:
    # A file without a verdict may come again.
    earlier = [a.candidate.source for a in view.attempts if a.candidate and a.evaluation]
    source = read_file(completion, view.task.source, earlier)
    backend = guess_backend(source)
    if backend not in view.backends:
        allowed = ", ".join(view.backends)
        raise BadAnswer(
            f"Your file uses backend {backend!r}; it must use one of: {allowed}. {FILE_ONLY}"
        )
    return source


def _parents(base: Attempt | None) -> tuple[str, ...]:
    return (base.candidate.hash,) if base and base.candidate else ()

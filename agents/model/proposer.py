"""A language model as the workflow's planner, coder and profiler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kernelwright.agents.model.answers import read_answer
from kernelwright.agents.model.caller import Caller
from kernelwright.agents.model.coder import coder_context, parent_hashes, read_source
from kernelwright.agents.model.planner import (
    idea_of,
    plain_idea,
    planner_context,
    read_plan,
    repair_idea,
)
from kernelwright.agents.model.profiler import Diagnosis, profiler_context
from kernelwright.agents.proposer import Idea, NoUsableAnswer, View
from kernelwright.backends.registry import guess_backend
from kernelwright.errors import ProviderError
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Candidate, Lesson, Origin, Status, Usage


class ModelProposer:
    """A proposer for one task. Every step but a repair's plan is at least one model call.

    Args:
        caller: makes the calls, with the model of each role.
        seed: draws the hints for the planner.
        lessons: what the planner is told of other tasks.
        edits: ask for changes to code that there is; after one that does not fit, for the file.
        also: backends of files that are taken as well, though none is asked for.

    All steps raise BudgetExhausted instead of making a call that the budget does not allow.
    """

    def __init__(
        self,
        caller: Caller,
        machine: Machine,
        seed: int,
        lessons: Sequence[Lesson] = (),
        edits: bool = False,
        also: Sequence[str] = (),
    ) -> None:
        self._caller = caller
        self._machine = machine
        self._seed = seed
        self._lessons = lessons
        self._edits = edits
        self._also = also

    @property
    def name(self) -> str:
        """The coder's `provider/name`."""
        return self._caller.model("coder")

    def plan(self, view: View) -> Idea | None:
        """Return the planner's choice in words; for a repair what went wrong, without a call.

        Where no answer can be used, or the provider fails for good, the coder gets a plain idea.
        None without a backend.
        """
        if not view.backends:
            return None
        if view.move.operator == "repair":
            return repair_idea(view, self._machine.device)
        context = planner_context(view, self._machine, self._seed, self._lessons)
        read = partial(read_plan, backends=view.backends)
        try:
            return idea_of(self._caller.ask(view.position, "planner", context, read))
        except (NoUsableAnswer, ProviderError):
            return plain_idea(view)

    def code(self, view: View, idea: Idea) -> Candidate:
        """Return the coder's file for an idea.

        A repair shows the failed file with its error, everything else what it goes on from.

        Raises:
            NoUsableAnswer: after three bad answers.
            ProviderError: the provider failed for good.
        """
        context = coder_context(view, self._machine, idea, self._edits)
        read = partial(read_source, view=view, also=self._also)
        source = self._caller.ask(view.position, "coder", context, read)
        origin = Origin(
            kind="model",
            model=self.name,
            prompt_hash=self._caller.prompt_hash("coder", context),
            description=idea.text,
        )
        return Candidate(
            source=source, backend=guess_backend(source), parents=parent_hashes(view), origin=origin
        )

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """Return the profiler's bottleneck and fix; empty where no answer came or can be used.

        A compiler's error is known already: nothing is asked about that.
        """
        found = attempt.evaluation
        if found is None or found.status is Status.COMPILE_ERROR:
            return ""
        context = profiler_context(view, attempt, self._machine)
        read = partial(read_answer, kind=Diagnosis)
        try:
            return str(self._caller.ask(view.position, "profiler", context, read))
        except (NoUsableAnswer, ProviderError):
            return ""

    def usage(self, index: int) -> Usage:
        """Return the sum over an attempt's calls; a part that one of them lacks is None."""
        return self._caller.usage(index)

"""A language model as the workflow's planner, coder and profiler."""

from __future__ import annotations

import threading
from functools import partial

from kernelwright.agents.episode.coder import episode_context, episode_file
from kernelwright.agents.model.answers import read_answer
from kernelwright.agents.model.caller import Caller
from kernelwright.agents.model.coder import coder_context, parent_hashes, read_source
from kernelwright.agents.model.context import Brief
from kernelwright.agents.model.planner import (
    PlannerAnswer,
    idea_of,
    known_idea,
    plain_idea,
    planner_context,
    read_plan,
    repair_idea,
)
from kernelwright.agents.model.profiler import Diagnosis, profiler_context
from kernelwright.agents.proposer import Idea, Note, NoUsableAnswer, View
from kernelwright.agents.search.stopping import on_plateau
from kernelwright.backends.registry import guess_backend
from kernelwright.errors import NoToolsError, ProviderError
from kernelwright.schema import Attempt, Candidate, Origin, Status, Usage


def unheard(words: str) -> None:
    """Do nothing with a note."""


class ModelProposer:
    """A proposer for one task. Every step but a repair's plan is at least one model call.

    Args:
        caller: makes the calls, with the model of each role.
        uses_tools: whether the coder works with tools, until it submits a file.
        note: told in a line what happens.

    All steps raise BudgetExhausted instead of making a call that the budget does not allow.
    """

    def __init__(
        self, caller: Caller, brief: Brief, uses_tools: bool = False, note: Note = unheard
    ) -> None:
        self._caller = caller
        self._brief = brief
        self._uses_tools = uses_tools
        self._leaving = threading.Lock()
        self._note = note

    @property
    def name(self) -> str:
        """The coder's `provider/name`."""
        return self._caller.model("coder")

    def plan(self, view: View) -> Idea | None:
        """Return the planner's choice, among new ideas and earlier ones.

        No call is made for a repair, which is told what went wrong, nor for an earlier idea that
        the search strategy chose. Where no answer can be used, or the provider fails for good, the
        coder gets a plain idea.
        None without a backend that the policy allows.
        """
        backends = self._brief.backends(view)
        if not backends:
            return None
        if view.move.operator == "repair":
            return repair_idea(view, self._brief.machine.device)
        if known := known_idea(view, backends):
            return known
        context = planner_context(view, self._brief)
        read = partial(read_plan, backends=backends)
        try:
            plan = self._caller.ask(
                view.position,
                "planner",
                context,
                read,
                form=PlannerAnswer,
                harder=on_plateau(view.attempts),
            )
            return idea_of(plan, view, backends)
        except (NoUsableAnswer, ProviderError):
            return plain_idea(backends)

    def code(self, view: View, idea: Idea) -> Candidate:
        """Return the coder's file for an idea, of an episode with tools or of one answer.

        A repair shows the failed file with its error, everything else what it goes on from.

        Raises:
            NoUsableAnswer: three answers in a row could not be used.
            ProviderError: the provider failed for good.
        """
        source = None
        if self._uses_tools:
            context = episode_context(view, self._brief, idea)
            try:
                source = episode_file(view, self._brief, context, self._caller)
            except NoToolsError as error:
                self._leave_tools(error)
        if source is None:
            context = coder_context(view, self._brief, idea)
            read = partial(read_source, view=view, brief=self._brief)
            harder = on_plateau(view.attempts)
            source = self._caller.ask(view.position, "coder", context, read, harder=harder)
        origin = Origin(
            kind="model",
            model=self.name,
            prompt_hash=self._caller.prompt_hash("coder", context),
            description=idea.text,
        )
        return Candidate(
            source=source, backend=guess_backend(source), parents=parent_hashes(view), origin=origin
        )

    def _leave_tools(self, error: NoToolsError) -> None:
        """Work without tools from now on, and say so once."""
        with self._leaving:
            if self._uses_tools:
                self._uses_tools = False
                self._note(f"{self.name} takes no tools, so it answers with files: {error.message}")

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """Return the profiler's bottleneck and fix; empty where no answer came or can be used.

        A compiler's error is known already: nothing is asked about that.
        """
        found = attempt.evaluation
        if found is None or found.status is Status.COMPILE_ERROR:
            return ""
        context = profiler_context(view, attempt, self._brief)
        read = partial(read_answer, kind=Diagnosis)
        try:
            asked = self._caller.ask(
                view.position,
                "profiler",
                context,
                read,
                form=Diagnosis,
                harder=on_plateau(view.attempts),
            )
            return str(asked)
        except (NoUsableAnswer, ProviderError):
            return ""

    def usage(self, index: int) -> Usage:
        """Return the sum over an attempt's calls; a part that one of them lacks is None."""
        return self._caller.usage(index)

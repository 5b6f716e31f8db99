"""One attempt, from plan to record: plan -> code -> evaluate -> profile -> record.

A LangGraph of its own, so that several attempts go through it at once: one may be evaluated while
others are still being written. Its state is JSON, and is on disk after every step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from kernelwright.agents.cached_judge import Judging
from kernelwright.agents.duplicates import same_code, same_text
from kernelwright.agents.proposer import BudgetExhausted, Idea, NoUsableAnswer, Proposer, View
from kernelwright.agents.search.halving import is_promoted
from kernelwright.errors import InfrastructureError, ProviderError
from kernelwright.schema import Attempt, Candidate, Evaluation, Move, Span, Status, Task

Phase = Literal["plan", "code", "evaluate", "profile"]
EVALUATE_TRIES = 2
NO_CODE = "no usable answer"


class Ended(TypedDict):
    """The part of an attempt's state that the workflow reads."""

    ended: list[str]
    """Reasons to end the search; empty where it should go on."""


class AttemptState(TypedDict, total=False):
    """The state after a step; models are JSON texts. Stored checkpoints have its keys."""

    index: int
    known: int
    """Attempts below this index had ended when this one began."""
    move: str
    started: float
    idea: str
    candidate: str
    evaluation: str
    error: str
    dropped: str
    diagnosis: str
    ended: list[str]


class AttemptDeps(NamedTuple):
    """Everything that the steps of an attempt need besides its state."""

    run_id: str
    task: Task
    backends: tuple[str, ...]
    proposer: Proposer
    judge: Judging
    halving: int
    """See `is_promoted`."""
    record: Callable[[Attempt], None]
    """Stores an attempt."""
    on_phase: Callable[[Phase, str], None]
    """Called when a phase starts, with its name and a text."""


class AttemptGraph:
    """The steps of all attempts of one task.

    Args:
        history: attempts of the task so far; grows as attempts end.
        is_last: whether no further attempt will follow the one of an index.
    """

    def __init__(
        self, deps: AttemptDeps, history: list[Attempt], is_last: Callable[[int], bool]
    ) -> None:
        self._deps = deps
        self._history = history
        self._is_last = is_last
        self._one = threading.Lock()
        """One evaluation at a time: they share a reference, and the device anyway."""
        self._recording = threading.Lock()

    def graph(self, saver: BaseCheckpointSaver[str]) -> Any:
        """Return the compiled graph; an attempt goes through it once.

        Args:
            saver: keeps what steps leave.
        """
        graph = StateGraph(AttemptState, output_schema=Ended)
        graph.add_node("plan", self.plan)
        graph.add_node("code", self.code)
        graph.add_node("evaluate", self.evaluate)
        graph.add_node("profile", self.profile)
        graph.add_node("record", self.record)
        graph.add_edge(START, "plan")
        graph.add_conditional_edges("plan", _after("code"), ["code", "record", END])
        graph.add_conditional_edges("code", _after("evaluate"), ["evaluate", "record", END])
        graph.add_conditional_edges("evaluate", _after("profile"), ["profile", "record", END])
        graph.add_edge("profile", "record")
        graph.add_edge("record", END)
        return graph.compile(checkpointer=saver)

    def view(self, state: AttemptState) -> View:
        """Return the view that the proposer is shown."""
        deps, known = self._deps, state["known"]
        with self._recording:  # a list that is being sorted looks empty
            attempts = tuple(a for a in self._history if a.index < known)
        move = Move.model_validate_json(state["move"])
        return View(deps.task, state["index"], move, attempts, deps.backends)

    def plan(self, state: AttemptState) -> AttemptState:
        """Have the planner choose an idea; end the search where it has none."""
        started = time.time()
        self._deps.on_phase("plan", "")
        try:
            idea = self._deps.proposer.plan(self.view(state))
        except BudgetExhausted as over:
            return {"started": started, **_over(over)}
        if idea is None:
            return {"ended": ["nothing left to try"]}
        return {"started": started, "idea": idea.model_dump_json()}

    def code(self, state: AttemptState) -> AttemptState:
        """Have the coder write the idea's candidate; drop the attempt without a new one.

        A provider that fails for good is the infrastructure's fault: the attempt keeps the error.
        """
        idea, view = _idea(state), self.view(state)
        self._deps.on_phase("code", idea.text)
        try:
            candidate = self._deps.proposer.code(view, idea)
        except BudgetExhausted as over:
            return _over(over)
        except NoUsableAnswer as refused:
            return {"dropped": f"{NO_CODE}: {refused.message}"}
        except ProviderError as failed:
            return {"error": failed.message}
        if candidate is None:
            return {"dropped": NO_CODE}
        same = same_text(candidate, view.attempts)
        if same is not None:
            return {"dropped": f"the same file as attempt {same.number}"}
        return {"candidate": candidate.model_dump_json()}

    def evaluate(self, state: AttemptState) -> AttemptState:
        """Have the judge evaluate the candidate; drop the attempt if its code was judged before.

        After EVALUATE_TRIES infrastructure errors the attempt keeps the last one.
        """
        candidate, attempts = _candidate(state), self.view(state).attempts
        error: InfrastructureError | None = None
        for _ in range(EVALUATE_TRIES):
            try:
                with self._one:
                    self._deps.on_phase("evaluate", _idea(state).text)
                    return self._judged(candidate, attempts)
            except InfrastructureError as raised:
                error = raised
        return {"error": str(error)}

    def _judged(self, candidate: Candidate, attempts: Sequence[Attempt]) -> AttemptState:
        """Build and evaluate a candidate, at `standard` too where `is_promoted` says so."""
        judge = self._deps.judge
        build = judge.build(candidate, "fast")
        if isinstance(build, Evaluation):
            return {"evaluation": build.model_dump_json()}
        same = same_code(candidate, build.object_code.digest, attempts)
        if same is not None:
            return {"dropped": f"compiles to the same code as attempt {same.number}"}
        found = judge.evaluate(candidate, "fast", build)
        if is_promoted(found, attempts, self._deps.halving):
            with suppress(InfrastructureError):  # what is known already stays known
                found = judge.evaluate(candidate, "standard", build)
        return {"evaluation": found.model_dump_json()}

    def profile(self, state: AttemptState) -> AttemptState:
        """Have the profiler name a bottleneck and a fix, for attempts that go on from here."""
        attempt, view = self._attempt(state), self.view(state)
        found = attempt.evaluation
        if found is None or found.status is Status.INVALID_REFERENCE or not view.move.leads_on:
            return {}
        if self._is_last(attempt.index):
            return {}  # no later attempt would read it
        self._deps.on_phase("profile", attempt.plan)
        try:
            return {"diagnosis": self._deps.proposer.diagnose(view, attempt)}
        except BudgetExhausted as over:
            return {"ended": [over.message]} if over.scope != "attempt" else {}

    def record(self, state: AttemptState) -> AttemptState:
        """Store the attempt, once."""
        with self._recording:
            if all(known.index != state["index"] for known in self._history):
                attempt = self._attempt(state)
                self._deps.record(attempt)
                self._history.append(attempt)
                self._history.sort(key=lambda known: known.index)
        return {"ended": state.get("ended", [])}

    def _attempt(self, state: AttemptState) -> Attempt:
        candidate, evaluation = state.get("candidate"), state.get("evaluation")
        return Attempt(
            run_id=self._deps.run_id,
            task_id=self._deps.task.id,
            index=state["index"],
            move=Move.model_validate_json(state["move"]),
            plan=_idea(state).text if "idea" in state else "",
            candidate=Candidate.model_validate_json(candidate) if candidate else None,
            evaluation=Evaluation.model_validate_json(evaluation) if evaluation else None,
            error=state.get("error"),
            dropped=state.get("dropped"),
            diagnosis=state.get("diagnosis", ""),
            usage=self._deps.proposer.usage(state["index"]),
            span=Span.since(state["started"]),
        )


def _idea(state: AttemptState) -> Idea:
    return Idea.model_validate_json(state["idea"])


def _candidate(state: AttemptState) -> Candidate:
    return Candidate.model_validate_json(state["candidate"])


def _over(over: BudgetExhausted) -> AttemptState:
    return {"dropped": over.message} if over.scope == "attempt" else {"ended": [over.message]}


def _after(step: str) -> Callable[[AttemptState], str]:
    def where(state: AttemptState) -> str:
        if state.get("ended"):
            return END
        return "record" if state.get("dropped") or state.get("error") else step

    return where

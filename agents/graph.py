"""The workflow: plan -> code -> evaluate -> profile -> plan, as a LangGraph state graph.

Nodes are methods of `Workflow`; what travels between them is `State`. Everything that must outlive
a crash is in the store before a node returns, so the state carries only what the next node needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph

from kernelwright.agents.proposer import BudgetExhausted, Idea, Proposer, View
from kernelwright.agents.search import SearchStrategy
from kernelwright.errors import InfrastructureError
from kernelwright.schema import Attempt, Candidate, Evaluation, Span, Status, Task

Phase = Literal["plan", "code", "evaluate", "profile"]
EVALUATE_TRIES = 2
EMPTY_CODES_IN_A_ROW = 3
# LangGraph counts node executions; the workflow has its own limits and never gets near.
RECURSION_LIMIT = 1_000_000


class State(TypedDict, total=False):
    """What one node leaves for the next."""

    idea: Idea | None
    candidate: Candidate | None
    started: float
    diagnosis: str
    empty_codes: int
    finished: str | None
    """Why the workflow ends; None while it goes on."""


def go_on() -> None:
    """The checkpoint where nobody can ask for an end."""


class Workflow:
    """One task's workflow.

    Args:
        evaluate: the judge at search level.
        record: stores an attempt; called before the next step starts.
        history: attempts of an earlier, interrupted run of the same task.
        attempts: how many attempts the task may have in all.
        deadline: `time.monotonic()` value after which nothing new is started.
        on_phase: told which phase starts.
        checkpoint: called before a plan is asked for; raises where nothing new is wanted.
    """

    def __init__(
        self,
        *,
        run_id: str,
        task: Task,
        proposer: Proposer,
        strategy: SearchStrategy,
        backends: tuple[str, ...],
        evaluate: Callable[[Candidate], Evaluation],
        record: Callable[[Attempt], None],
        history: list[Attempt],
        attempts: int,
        deadline: float,
        on_phase: Callable[[Phase, str], None],
        checkpoint: Callable[[], None] = go_on,
    ) -> None:
        self.run_id = run_id
        self.task = task
        self.proposer = proposer
        self.strategy = strategy
        self.backends = backends
        self.evaluate_candidate = evaluate
        self.record = record
        self.history = history
        self.attempts = attempts
        self.deadline = deadline
        self.on_phase = on_phase
        self.checkpoint = checkpoint

    def run(self) -> str:
        """Run until a limit, or until the proposer has nothing left; returns why it ended."""
        start = State(diagnosis="", empty_codes=0, finished=None)
        try:
            state = self._graph().invoke(start, {"recursion_limit": RECURSION_LIMIT})
        except BudgetExhausted as end:
            return end.message
        return str(state["finished"])

    def _graph(self) -> Any:
        graph = StateGraph(State)
        graph.add_node("plan", self.plan)
        graph.add_node("code", self.code)
        graph.add_node("evaluate", self.evaluate)
        graph.add_node("profile", self.profile)
        graph.add_edge(START, "plan")
        graph.add_conditional_edges("plan", _after_plan, ["code", END])
        graph.add_conditional_edges("code", _after_code, ["evaluate", "plan"])
        graph.add_edge("evaluate", "profile")
        graph.add_edge("profile", "plan")
        return graph.compile()

    def view(self, diagnosis: str) -> View:
        """What the proposer is shown now."""
        parent = self.strategy.parent(self.history)
        return View(self.task, tuple(self.history), parent, diagnosis, self.backends)

    def plan(self, state: State) -> State:
        """Planner: one idea, or the end."""
        finished = self._limit(state)
        if finished:
            return {"finished": finished}
        self.checkpoint()
        self.on_phase("plan", "")
        idea = self.proposer.plan(self.view(state["diagnosis"]))
        if idea is None:
            return {"finished": "nothing left to try"}
        return {"idea": idea, "started": time.time()}

    def _limit(self, state: State) -> str | None:
        if len(self.history) >= self.attempts:
            return "all attempts used"
        if time.monotonic() >= self.deadline:
            return "time limit"
        if state["empty_codes"] >= EMPTY_CODES_IN_A_ROW:
            return f"{EMPTY_CODES_IN_A_ROW} answers in a row without usable code"
        return None

    def code(self, state: State) -> State:
        """Coder: the candidate of the idea. No candidate costs no evaluation."""
        idea = state["idea"]
        assert idea is not None
        self.on_phase("code", idea.text)
        candidate = self.proposer.code(self.view(state["diagnosis"]), idea)
        empty = 0 if candidate else state["empty_codes"] + 1
        return {"candidate": candidate, "empty_codes": empty}

    def evaluate(self, state: State) -> State:
        """Judge: a verdict, or an infrastructure error; stored either way."""
        candidate, idea = state["candidate"], state["idea"]
        assert candidate is not None and idea is not None
        self.on_phase("evaluate", idea.text)
        evaluation, error = self._evaluated(candidate)
        attempt = Attempt(
            run_id=self.run_id,
            task_id=self.task.id,
            index=len(self.history),
            plan=idea.text,
            candidate=candidate,
            evaluation=evaluation,
            error=error,
            usage=self.proposer.take_usage(),
            span=Span(started=state["started"], ended=time.time()),
        )
        self.record(attempt)
        self.history.append(attempt)
        return {}

    def _evaluated(self, candidate: Candidate) -> tuple[Evaluation | None, str | None]:
        error: InfrastructureError | None = None
        for _ in range(EVALUATE_TRIES):
            try:
                return self.evaluate_candidate(candidate), None
            except InfrastructureError as raised:
                error = raised
        return None, str(error)

    def profile(self, state: State) -> State:
        """Profiler: one bottleneck and one fix for the next plan."""
        last = self.history[-1]
        if last.evaluation is None or last.evaluation.status is Status.INVALID_REFERENCE:
            return {"diagnosis": ""}
        if self._limit(state):
            return {"diagnosis": state["diagnosis"]}  # nobody would read it
        self.on_phase("profile", last.plan)
        return {"diagnosis": self.proposer.diagnose(self.view(state["diagnosis"]))}


def _after_plan(state: State) -> str:
    return END if state.get("finished") else "code"


def _after_code(state: State) -> str:
    return "evaluate" if state.get("candidate") else "plan"

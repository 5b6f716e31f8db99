"""One attempt, from plan to record: plan -> code -> evaluate -> profile -> record.

A model's file that is not built is repaired, and evaluated again.

A LangGraph of its own, so that several attempts go through it at once: one may be evaluated while
others are still being written. Its state is JSON, and is on disk after every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from kernelwright.agents.duplicates import same_code, same_text
from kernelwright.agents.proposer import BudgetExhausted, Idea, NoUsableAnswer, View
from kernelwright.agents.search.halving import is_promoted
from kernelwright.agents.search_context import SearchContext, Step
from kernelwright.errors import InfrastructureError, ProviderError
from kernelwright.schema import Attempt, Candidate, Evaluation, Move, Span, Status

Running = Runtime[SearchContext]
EVALUATE_TRIES = 2
NO_CODE = "no usable answer"
NEXT_STEPS = {
    "dropped": "record",
    "error": "record",
    "evaluation": "profile",
    "candidate": "evaluate",
    "idea": "code",
    "move": "plan",
}
"""The step that comes next by the last thing that is known: a search of an earlier version may have
left an attempt anywhere."""


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
    repairs: int
    """Repairs that were asked for."""
    ended: list[str]


def attempt_graph() -> Any:
    """Return the compiled graph; an attempt goes through it once.

    The graph that it is a part of lends it context and checkpoints.
    """
    graph = StateGraph(AttemptState, context_schema=SearchContext, output_schema=Ended)
    graph.add_node("plan", plan)
    graph.add_node("code", code)
    graph.add_node("evaluate", evaluate)
    graph.add_node("repair", repair)
    graph.add_node("profile", profile)
    graph.add_node("record", record)
    graph.add_conditional_edges(START, _next_step, sorted(set(NEXT_STEPS.values())))
    graph.add_conditional_edges("plan", _after("code"), ["code", "record", END])
    graph.add_conditional_edges("code", _after("evaluate"), ["evaluate", "record", END])
    graph.add_conditional_edges("evaluate", _after_verdict, ["repair", "profile", "record"])
    graph.add_conditional_edges("repair", _after_repair, ["evaluate", "profile"])
    graph.add_edge("profile", "record")
    graph.add_edge("record", END)
    return graph.compile()


def plan(state: AttemptState, runtime: Running) -> AttemptState:
    """Have the planner choose an idea; end the search where it has none."""
    context, started = runtime.context, time.time()
    runtime.stream_writer(Step("plan", ""))
    try:
        idea = context.patiently(partial(context.proposer.plan, _view(state, context)))
    except BudgetExhausted as over:
        return {"started": started, **_over(over)}
    if idea is None:
        return {"ended": ["nothing left to try"]}
    return {"started": started, "idea": idea.model_dump_json()}


def code(state: AttemptState, runtime: Running) -> AttemptState:
    """Have the coder write the idea's candidate; drop the attempt without a new one.

    A provider that fails for good is the infrastructure's fault: the attempt keeps the error.
    """
    context, idea = runtime.context, _idea(state)
    view = _view(state, context)
    runtime.stream_writer(Step("code", idea.text))
    try:
        candidate = context.patiently(partial(context.proposer.code, view, idea))
    except BudgetExhausted as over:
        return _over(over)
    except NoUsableAnswer as refused:
        return {"dropped": f"{NO_CODE}: {refused.message}"}
    except ProviderError as failed:
        return {"error": "; ".join(filter(None, (failed.message, failed.hint)))}
    if candidate is None:
        return {"dropped": NO_CODE}
    same = same_text(candidate, view.attempts)
    if same is not None:
        return {"dropped": f"the same file as attempt {same.number}"}
    return {"candidate": candidate.model_dump_json()}


def evaluate(state: AttemptState, runtime: Running) -> AttemptState:
    """Have the judge evaluate the candidate; drop the attempt if its code was judged before.

    After EVALUATE_TRIES infrastructure errors the attempt keeps the last one.
    """
    context, candidate = runtime.context, _candidate(state)
    judged = partial(_judged, context, candidate, context.ended_before(state["known"]))
    error: InfrastructureError | None = None
    for _ in range(EVALUATE_TRIES):
        try:
            with context.one_evaluation:
                runtime.stream_writer(Step("evaluate", _idea(state).text))
                return context.patiently(judged)
        except InfrastructureError as raised:
            error = raised
    return {"error": str(error)}


def _judged(
    context: SearchContext, candidate: Candidate, attempts: Sequence[Attempt]
) -> AttemptState:
    """Build and evaluate a candidate, at `standard` too where `is_promoted` says so."""
    build = context.judge.build(candidate, "fast")
    if isinstance(build, Evaluation):
        return {"evaluation": build.model_dump_json()}
    same = same_code(candidate, build.object_code.digest, attempts)
    if same is not None:
        return {"dropped": f"compiles to the same code as attempt {same.number}"}
    found = context.judge.evaluate(candidate, "fast", build)
    if is_promoted(found, attempts, context.settings.halving):
        with suppress(InfrastructureError):  # what is known already stays known
            found = context.judge.evaluate(candidate, "standard", build)
    return {"evaluation": found.model_dump_json()}


def repair(state: AttemptState, runtime: Running) -> AttemptState:
    """Have the coder repair a file that was not built; keep its verdict where that fails.

    A tuned number that can't be built is a bad one: nothing is asked about that.
    """
    context, asked = runtime.context, state.get("repairs", 0)
    failed, view = _attempt(state, context), _view(state, context)
    if asked >= context.settings.repairs or view.move.is_free:
        return {}
    assert failed.candidate is not None
    move = Move(operator="repair", parent=failed.index, leads_on=view.move.leads_on)
    view = view._replace(move=move, attempts=(*view.attempts, failed))
    idea = context.proposer.plan(view)
    assert idea is not None
    runtime.stream_writer(Step("code", idea.text))
    try:
        candidate = context.patiently(partial(context.proposer.code, view, idea))
    except BudgetExhausted as over:
        return {"repairs": context.settings.repairs, "ended": _reasons(over)}
    except (NoUsableAnswer, ProviderError):
        candidate = None
    if candidate is None or same_text(candidate, view.attempts) is not None:
        return {"repairs": context.settings.repairs}
    # Nothing else knows the file that was not built.
    candidate = candidate.model_copy(update={"parents": failed.candidate.parents})
    return {"repairs": asked + 1, "candidate": candidate.model_dump_json(), "evaluation": ""}


def profile(state: AttemptState, runtime: Running) -> AttemptState:
    """Have the profiler name a bottleneck and a fix, for attempts that go on from here."""
    context = runtime.context
    attempt, view = _attempt(state, context), _view(state, context)
    found = attempt.evaluation
    if found is None or found.status is Status.INVALID_REFERENCE or not view.move.leads_on:
        return {}
    if view.move.is_free or context.is_last(attempt.index):
        return {}  # it costs no call, or no later attempt would read it
    runtime.stream_writer(Step("profile", attempt.plan))
    try:
        diagnosis = context.patiently(partial(context.proposer.diagnose, view, attempt))
    except BudgetExhausted as over:
        return {"ended": _reasons(over)}
    return {"diagnosis": diagnosis}


def record(state: AttemptState, runtime: Running) -> AttemptState:
    """Store the attempt, once."""
    context = runtime.context
    if not context.has_ended(state["index"]):
        attempt = _attempt(state, context)
        context.record(attempt)
        runtime.stream_writer(attempt)
    return {"ended": state.get("ended", [])}


def _view(state: AttemptState, context: SearchContext) -> View:
    move = Move.model_validate_json(state["move"])
    known = context.ended_before(state["known"])
    return View(context.task, state["index"], move, known, context.backends)


def _attempt(state: AttemptState, context: SearchContext) -> Attempt:
    candidate, evaluation = state.get("candidate"), state.get("evaluation")
    idea = _idea(state) if "idea" in state else None
    return Attempt(
        run_id=context.run_id,
        task_id=context.task.id,
        index=state["index"],
        move=Move.model_validate_json(state["move"]),
        plan=idea.text if idea else "",
        ideas=idea.ideas if idea else (),
        idea=idea.name if idea else None,
        candidate=Candidate.model_validate_json(candidate) if candidate else None,
        evaluation=Evaluation.model_validate_json(evaluation) if evaluation else None,
        error=state.get("error"),
        dropped=state.get("dropped"),
        diagnosis=state.get("diagnosis", ""),
        usage=context.proposer.usage(state["index"]),
        span=Span.since(state["started"]),
    )


def _idea(state: AttemptState) -> Idea:
    return Idea.model_validate_json(state["idea"])


def _candidate(state: AttemptState) -> Candidate:
    return Candidate.model_validate_json(state["candidate"])


def _over(over: BudgetExhausted) -> AttemptState:
    reasons = _reasons(over)
    return {"ended": reasons} if reasons else {"dropped": over.message}


def _reasons(over: BudgetExhausted) -> list[str]:
    """Return the reason to end the search; none where the attempt's own budget is used up."""
    return [] if over.scope == "attempt" else [over.message]


def _next_step(state: AttemptState) -> str:
    return next(step for known, step in NEXT_STEPS.items() if state.get(known))


def _after(step: str) -> Callable[[AttemptState], str]:
    def where(state: AttemptState) -> str:
        if state.get("ended"):
            return END
        return "record" if state.get("dropped") or state.get("error") else step

    return where


def _after_verdict(state: AttemptState) -> str:
    if state.get("dropped") or state.get("error"):
        return "record"
    status = Evaluation.model_validate_json(state["evaluation"]).status
    return "repair" if status is Status.COMPILE_ERROR else "profile"


def _after_repair(state: AttemptState) -> str:
    return "profile" if state["evaluation"] else "evaluate"

"""The workflow of one task, as a LangGraph: choose -> attempts, side by side -> choose.

A search strategy chooses what the next attempts do; each is sent through the graph of an attempt
(`attempt.py`). Attempts of one round know the same: what had ended when the round began. So the
same answers give the same attempts, whichever came first, and a run that was killed goes on from
its last step: what steps leave is in checkpoints, attempts and paid answers are in the store.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from concurrent.futures import wait
from functools import partial
from typing import Annotated, Any, TypedDict, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from kernelwright.agents.attempt import AttemptState, attempt_graph
from kernelwright.agents.search_context import SearchContext, Told
from kernelwright.schema import Move
from kernelwright.threads import in_daemon

# LangGraph counts rounds; the workflow has its own limits and never gets near.
RECURSION_LIMIT = 1_000_000
OTHER_THREADS = 4
"""LangGraph's own, beside one for each attempt of a round: they write, and wait for the stream."""


class State(TypedDict, total=False):
    """The state that one round leaves for the next."""

    lanes: list[AttemptState]
    """The attempts of this round; stored checkpoints have them under this name."""
    ended: Annotated[list[str], operator.add]
    """Reasons that attempts found to end the search."""
    finished: str | None


def search_graph() -> Any:
    """Return the graph of a search, to be compiled with what keeps its checkpoints."""
    graph = StateGraph(State, context_schema=SearchContext)
    graph.add_node("choose", choose)
    graph.add_node("attempt", attempt_graph())
    graph.add_edge(START, "choose")
    graph.add_conditional_edges("choose", _attempts, ["attempt", END])
    graph.add_edge("attempt", "choose")
    return graph


def run_search(
    context: SearchContext, saver: BaseCheckpointSaver[str], observe: Callable[[Told], None]
) -> str:
    """Search until a limit, or until there is nothing left to try; return why it ended.

    What an interrupted search has begun is continued. An interrupt waits for no step.

    Args:
        saver: keeps what steps leave.
        observe: told what happens, in another thread.
    """
    running = in_daemon(partial(_through, context, saver, observe))
    try:
        return running.result()
    except KeyboardInterrupt:
        context.abandon()
        wait([running])
        raise


def _through(
    context: SearchContext, saver: BaseCheckpointSaver[str], observe: Callable[[Told], None]
) -> str:
    graph = search_graph().compile(checkpointer=saver)
    config: Any = {
        "configurable": {"thread_id": context.thread},
        "recursion_limit": RECURSION_LIMIT,
        "max_concurrency": context.settings.proposals + OTHER_THREADS,
    }
    found, start = graph.get_state(config), None
    if not found.next:
        left = _left(context, found.values)
        if not left:  # nothing is under way, and what ended a search must not end the next one
            saver.delete_thread(context.thread)
        start = State(lanes=[_with_steps(context, saver, one) for one in left], finished=None)
    for _, told in graph.stream(
        start, config, context=context, stream_mode="custom", subgraphs=True, durability="sync"
    ):
        observe(told)
    finished = str(graph.get_state(config).values["finished"])
    saver.delete_thread(context.thread)
    return finished


def choose(state: State, runtime: Runtime[SearchContext]) -> State:
    """Choose the moves of the next round, or end the search.

    What a round lacks comes first. No round of this version lacks anything here; of earlier ones,
    which had other graphs, it is the attempts that were under way.

    A user's hints go to the round's first planner; a repair, a known idea, a seed and a tuned file
    have none.
    """
    context = runtime.context
    if left := _left(context, state):
        return {"lanes": left}
    finished = next(iter(state["ended"]), None) or context.reason_to_end()
    if finished:
        return {"lanes": [], "finished": finished}
    context.may_go_on()
    settings, history = context.settings, tuple(context.history)
    first = history[-1].index + 1 if history else 0
    count = settings.proposals
    if settings.attempts is not None:
        count = min(count, settings.attempts - first)
    moves = dict(enumerate(context.strategy.choose(history, count, settings.seed), start=first))
    planned = next((index for index, move in moves.items() if _has_planner(move)), None)
    if planned is not None and (hints := tuple(context.hints(planned))):
        moves[planned] = moves[planned].model_copy(update={"hints": hints})
    attempts = [
        AttemptState(index=index, known=first, move=move.model_dump_json())
        for index, move in moves.items()
    ]
    return {"lanes": attempts, "finished": None}


def _has_planner(move: Move) -> bool:
    return move.operator != "repair" and move.idea is None and not move.is_free


def _left(context: SearchContext, state: State) -> list[AttemptState]:
    """Return the attempts of a round that have not ended; none where one ended the search."""
    if state.get("ended"):
        return []
    return [one for one in state.get("lanes", []) if not context.has_ended(one["index"])]


def _with_steps(
    context: SearchContext, saver: BaseCheckpointSaver[str], attempt: AttemptState
) -> AttemptState:
    """Return an attempt with the steps that an earlier version kept, in a thread of their own.

    They stay there: a process that dies before the new graph has them finds them again.
    """
    thread = f"{context.thread}/{attempt['index']}"
    found = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
    steps = found.checkpoint["channel_values"] if found else {}
    known = {name: steps[name] for name in AttemptState.__annotations__ if name in steps}
    return cast(AttemptState, {**attempt, **known})


def _attempts(state: State) -> str | list[Send]:
    if state.get("finished"):
        return END
    return [Send("attempt", attempt) for attempt in state["lanes"]]

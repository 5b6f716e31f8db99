"""The workflow of one task, as a LangGraph: choose -> round of attempts, side by side -> choose.

A search strategy chooses what the next attempts do; each goes through a graph of its own
(`attempt.py`). Attempts of one round know the same: what had ended when the round began. So the
same answers give the same attempts, whichever came first, and a run that was killed goes on from
its last step: what steps leave is in checkpoints, attempts and paid answers are in the store.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextvars import Context
from functools import partial
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from kernelwright.agents.attempt import AttemptDeps, AttemptGraph, AttemptState
from kernelwright.agents.search.stopping import reason_to_stop, unanswered
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.schema import Attempt, SearchSettings
from kernelwright.threads import in_daemon

# LangGraph counts rounds; the workflow has its own limits and never gets near.
RECURSION_LIMIT = 1_000_000


class State(TypedDict, total=False):
    """The state that one round leaves for the next."""

    lanes: list[AttemptState]
    """The attempts of this round; stored checkpoints have them under this name."""
    ended: Annotated[list[str], operator.add]
    """Reasons that attempts found to end the search."""
    finished: str | None


def go_on() -> None:
    """Never interrupt: the default for `may_go_on`."""


class Workflow:
    """The workflow of one task.

    Args:
        history: attempts of an earlier, interrupted run of the same task; new ones are added.
        saver: keeps what steps leave.
        may_go_on: called before a round; raises where nothing new is wanted.
    """

    def __init__(
        self,
        deps: AttemptDeps,
        settings: SearchSettings,
        strategy: SearchStrategy,
        history: list[Attempt],
        saver: BaseCheckpointSaver[str],
        may_go_on: Callable[[], None] = go_on,
    ) -> None:
        self.settings = settings
        self.strategy = strategy
        self.deadline = time.monotonic() + settings.time_limit_s
        self.history = history
        self._earlier = len(history)
        self.may_go_on = may_go_on
        self._saver = saver
        self._thread = f"{deps.run_id}/{deps.task.id}"
        self._attempt = AttemptGraph(deps, history, self._is_last).graph(saver)
        self._graph = self._compiled()

    def run(self) -> str:
        """Run until a limit, or until there is nothing left to try; return why it ended."""
        start = None
        if not self._is_under_way(self._graph, self._config(self._thread)):
            self._saver.delete_thread(self._thread)
            start = State(lanes=[], finished=None)
        state = self._graph.invoke(start, self._config(self._thread), durability="sync")
        return str(state["finished"])

    def _compiled(self) -> Any:
        graph = StateGraph(State)
        graph.add_node("choose", self.choose)
        graph.add_node("round", self.round)
        graph.add_edge(START, "choose")
        graph.add_conditional_edges("choose", _after_choose, ["round", END])
        graph.add_edge("round", "choose")
        return graph.compile(checkpointer=self._saver)

    def _config(self, thread: str) -> Any:
        return {"configurable": {"thread_id": thread}, "recursion_limit": RECURSION_LIMIT}

    @staticmethod
    def _is_under_way(graph: Any, config: Any) -> bool:
        return bool(graph.get_state(config).next)

    def round(self, state: State) -> State:
        """Run all attempts of a round, each in a thread; an interrupt waits for none of them."""
        attempts = state["lanes"]
        if len(attempts) == 1:  # not in the context of this graph, which it would take for its own
            return {"ended": Context().run(self._through, attempts[0])}
        under_way = [in_daemon(partial(self._through, attempt)) for attempt in attempts]
        wait(under_way)  # what was begun is finished, even where one fails
        return {"ended": [reason for future in under_way for reason in future.result()]}

    def _through(self, attempt: AttemptState) -> list[str]:
        """Run one attempt, or the rest of it; return its reasons to end the search."""
        if any(known.index == attempt["index"] for known in self.history):
            return []
        thread = f"{self._thread}/{attempt['index']}"
        config = self._config(thread)
        start = None if self._is_under_way(self._attempt, config) else attempt
        ended: list[str] = self._attempt.invoke(start, config, durability="sync")["ended"]
        self._saver.delete_thread(thread)
        return ended

    def choose(self, state: State) -> State:
        """Choose the moves of the next round, or end the search."""
        finished = next(iter(state["ended"]), None) or self._limit()
        if finished:
            return {"lanes": [], "finished": finished}
        self.may_go_on()
        first = self.history[-1].index + 1 if self.history else 0
        count = min(self.settings.proposals, self.settings.attempts - first)
        moves = self.strategy.choose(tuple(self.history), count, self.settings.seed)
        attempts = [
            AttemptState(index=first + place, known=first, move=move.model_dump_json())
            for place, move in enumerate(moves)
        ]
        return {"lanes": attempts, "finished": None}

    def _limit(self) -> str | None:
        if self.history and self._is_last(self.history[-1].index):
            return "all attempts used"
        if time.monotonic() >= self.deadline:
            return "time limit"
        lost = unanswered(self.history[self._earlier :])
        return lost or reason_to_stop(self.history, self.settings.patience)

    def _is_last(self, index: int) -> bool:
        return index + 1 >= self.settings.attempts


def _after_choose(state: State) -> str:
    return END if state.get("finished") else "round"

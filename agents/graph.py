"""The workflow of one task, as a LangGraph: choose -> round of attempts, side by side -> choose.

A search strategy chooses what the next attempts do; each goes through a lane of its own
(`lane.py`). Attempts of one round know the same: what had ended when the round began. So the same
answers give the same attempts, whoever was faster, and a run that was killed goes on from its last
step: what steps leave is in checkpoints, attempts and paid answers are in the store.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextvars import Context
from functools import partial
from typing import Annotated, Any, NamedTuple, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from kernelwright.agents.lane import Lane, Lanes, Parts
from kernelwright.agents.search.stopping import reason_to_stop
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.schema import Attempt
from kernelwright.threads import in_daemon

# LangGraph counts rounds; the workflow has its own limits and never gets near.
RECURSION_LIMIT = 1_000_000


class State(TypedDict, total=False):
    """What one round leaves for the next."""

    lanes: list[Lane]
    """The attempts of this round."""
    ended: Annotated[list[str], operator.add]
    """Why lanes found that the search should end."""
    finished: str | None


class Plan(NamedTuple):
    """How to search, and how long."""

    strategy: SearchStrategy
    seed: int
    attempts: int
    """How many the task may have in all."""
    deadline: float
    """`time.monotonic()` value after which nothing new is started."""
    patience: int
    """See `reason_to_stop`."""
    proposals: int
    """Attempts side by side."""


def go_on() -> None:
    """The question whether to go on where nobody can ask for an end."""


class Workflow:
    """One task's workflow.

    Args:
        history: attempts of an earlier, interrupted run of the same task; new ones are added.
        saver: keeps what steps leave.
        may_go_on: called before a round; raises where nothing new is wanted.
    """

    def __init__(
        self,
        parts: Parts,
        plan: Plan,
        history: list[Attempt],
        saver: BaseCheckpointSaver[str],
        may_go_on: Callable[[], None] = go_on,
    ) -> None:
        self.plan = plan
        self.history = history
        self.may_go_on = may_go_on
        self._saver = saver
        self._thread = f"{parts.run_id}/{parts.task.id}"
        self._lane = Lanes(parts, history, self._is_last).graph(saver)
        self._graph = self._compiled()

    def run(self) -> str:
        """Run until a limit, or until nobody has anything left to try; returns why it ended."""
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
        """All attempts of a round, each in a thread; whoever is interrupted waits for none."""
        lanes = state["lanes"]
        if len(lanes) == 1:  # not in the context of this graph, which it would take for its own
            return {"ended": Context().run(self._through, lanes[0])}
        under_way = [in_daemon(partial(self._through, lane)) for lane in lanes]
        wait(under_way)  # what was begun is finished, even where one fails
        return {"ended": [reason for future in under_way for reason in future.result()]}

    def _through(self, lane: Lane) -> list[str]:
        """One attempt, or the rest of it."""
        if any(known.index == lane["index"] for known in self.history):
            return []
        thread = f"{self._thread}/{lane['index']}"
        config = self._config(thread)
        start = None if self._is_under_way(self._lane, config) else lane
        ended: list[str] = self._lane.invoke(start, config, durability="sync")["ended"]
        self._saver.delete_thread(thread)
        return ended

    def choose(self, state: State) -> State:
        """The moves of the next round, or the end."""
        finished = next(iter(state["ended"]), None) or self._limit()
        if finished:
            return {"lanes": [], "finished": finished}
        self.may_go_on()
        first = self.history[-1].index + 1 if self.history else 0
        count = min(self.plan.proposals, self.plan.attempts - first)
        moves = self.plan.strategy.choose(tuple(self.history), count, self.plan.seed)
        lanes = [
            Lane(index=first + place, known=first, move=move.model_dump_json())
            for place, move in enumerate(moves)
        ]
        return {"lanes": lanes, "finished": None}

    def _limit(self) -> str | None:
        if self.history and self._is_last(self.history[-1].index):
            return "all attempts used"
        if time.monotonic() >= self.plan.deadline:
            return "time limit"
        return reason_to_stop(self.history, self.plan.patience)

    def _is_last(self, index: int) -> bool:
        return index + 1 >= self.plan.attempts


def _after_choose(state: State) -> str:
    return END if state.get("finished") else "round"

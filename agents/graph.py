"""The workflow of one task, as a LangGraph: choose -> attempts, side by side -> choose.

A search strategy chooses what the next attempts do; each goes through a lane of its own
(`lane.py`). Attempts of one round know the same: what had ended when the round began. So the same
answers give the same attempts, whoever was faster, and a run that was killed goes on from its last
step: what steps leave is in checkpoints, attempts and paid answers are in the store.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from kernelwright.agents.lane import Lane, Lanes, Parts
from kernelwright.agents.search.stopping import reason_to_stop
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.schema import Attempt

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
        self._lanes = Lanes(parts, history, self._is_last)
        self._saver = saver
        self._graph = self._compiled(saver)
        self._thread = f"{parts.run_id}/{parts.task.id}"
        self._config: Any = {
            "configurable": {"thread_id": self._thread},
            "recursion_limit": RECURSION_LIMIT,
            "max_concurrency": plan.proposals,
        }

    def run(self) -> str:
        """Run until a limit, or until nobody has anything left to try; returns why it ended."""
        start = None
        if not self._graph.get_state(self._config).next:  # nothing is under way
            self._saver.delete_thread(self._thread)
            start = State(lanes=[], finished=None)
        state = self._graph.invoke(start, self._config, durability="sync")
        return str(state["finished"])

    def _compiled(self, saver: BaseCheckpointSaver[str]) -> Any:
        graph = StateGraph(State)
        graph.add_node("choose", self.choose)
        graph.add_node("attempt", self._lanes.graph())
        graph.add_edge(START, "choose")
        graph.add_conditional_edges("choose", _fan_out, ["attempt", END])
        graph.add_edge("attempt", "choose")
        return graph.compile(checkpointer=saver)

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


def _fan_out(state: State) -> list[Send] | str:
    return END if state.get("finished") else [Send("attempt", lane) for lane in state["lanes"]]

"""Everything that the steps of a task's search share: the context of its LangGraph."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from kernelwright.agents.cached_judge import Judging
from kernelwright.agents.proposer import Proposer
from kernelwright.agents.search.stopping import reason_to_stop, unanswered
from kernelwright.agents.search.strategy import SearchStrategy
from kernelwright.schema import Attempt, SearchSettings, Task
from kernelwright.threads import in_daemon

T = TypeVar("T")
Phase = Literal["plan", "code", "evaluate", "profile"]


class Step(NamedTuple):
    """The start of a step of an attempt, as the graph's stream tells it."""

    phase: Phase
    text: str


Told = Step | Attempt
"""An event of the graph's stream: a step that starts, or an attempt that was stored."""


def go_on() -> None:
    """Never interrupt: the default for `may_go_on`."""


def no_hints(_index: int) -> Sequence[str]:
    """Return none: the default for `hints`."""
    return ()


@dataclass
class SearchContext:
    """Everything that the steps of a search need besides its state; threads share it."""

    run_id: str
    task: Task
    backends: tuple[str, ...]
    proposer: Proposer
    judge: Judging
    settings: SearchSettings
    strategy: SearchStrategy
    store_attempt: Callable[[Attempt], None]
    history: list[Attempt]
    """Attempts that have ended, by index, those of an earlier part of the run included; grows."""
    may_go_on: Callable[[], None] = go_on
    """Called before a round; raises KeyboardInterrupt where nothing new is wanted."""
    hints: Callable[[int], Sequence[str]] = no_hints
    """Gives what a user has said meanwhile to the attempt at an index, whose planner is shown it.
    LangGraph's `interrupt` would stop the search to wait for a word that mostly never comes."""
    one_evaluation: threading.Lock = field(default_factory=threading.Lock)
    """Evaluations share a reference, and the device anyway; those of tools, the device."""

    def __post_init__(self) -> None:
        self._recording = threading.Lock()
        self._abandoned: Future[None] = Future()
        self._earlier = len(self.history)
        limit = self.settings.time_limit_s
        self._deadline = math.inf if limit is None else time.monotonic() + limit

    @property
    def thread(self) -> str:
        """The name under which checkpoints keep the search."""
        return f"{self.run_id}/{self.task.id}"

    def ended_before(self, index: int) -> tuple[Attempt, ...]:
        """Return the attempts below an index that have ended."""
        with self._recording:  # a list that is being sorted looks empty
            return tuple(attempt for attempt in self.history if attempt.index < index)

    def has_ended(self, index: int) -> bool:
        """Return whether the attempt at an index is stored."""
        with self._recording:
            return any(known.index == index for known in self.history)

    def record(self, attempt: Attempt) -> None:
        """Store an attempt that has ended."""
        with self._recording:
            self.store_attempt(attempt)
            self.history.append(attempt)
            self.history.sort(key=lambda known: known.index)

    def is_last(self, index: int) -> bool:
        """Return whether no further attempt will follow the one at an index."""
        return self.settings.attempts is not None and index + 1 >= self.settings.attempts

    def reason_to_end(self) -> str | None:
        """Return why no attempt should be begun; None where one should."""
        if self.history and self.is_last(self.history[-1].index):
            return "all attempts used"
        if time.monotonic() >= self._deadline:
            return "time limit"
        lost = unanswered(self.history[self._earlier :])
        return lost or reason_to_stop(self.history, self.settings.patience)

    def patiently(self, step: Callable[[], T]) -> T:
        """Return what a step returns that may take minutes.

        Raises:
            KeyboardInterrupt: the search was abandoned; the step may still be running.
        """
        if not self._abandoned.done():
            running = in_daemon(step)
            either: tuple[Future[Any], ...] = (running, self._abandoned)
            wait(either, return_when=FIRST_COMPLETED)
            if running.done():
                return running.result()
        raise KeyboardInterrupt

    def abandon(self) -> None:
        """End all steps that are under way, without waiting for what they wait for."""
        self._abandoned.set_result(None)

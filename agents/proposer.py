"""The `Proposer` seam: what fills the workflow's planner, coder and profiler nodes.

`offline` and every language model are proposers; the workflow does not know which one it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from kernelwright.errors import KernelwrightError
from kernelwright.schema import (
    Attempt,
    Candidate,
    IdeaCard,
    Move,
    Record,
    Scalar,
    Task,
    Usage,
)

Scope = Literal["run", "task", "attempt"]
Note = Callable[[str], None]
"""Takes one line on what happens."""
Hear = Callable[[int], None]
"""Takes the number of characters of an answer that have come."""


class BudgetExhausted(KernelwrightError):
    """The error of a step that would cost more than there is left.

    Args:
        scope: what ends: the search, or the attempt alone.
    """

    def __init__(self, message: str, hint: str | None = None, scope: Scope = "run") -> None:
        super().__init__(message, hint)
        self.scope = scope


class NoUsableAnswer(KernelwrightError):
    """The error of a step whose answers could not be used, with the fault of the last one."""


class Idea(Record):
    """The next thing to try, in words and in what the coder needs."""

    text: str
    backend: str
    parameters: dict[str, Scalar] = {}
    """For a tuner: the point of its space."""
    name: str | None = None
    """Name among the ideas of all planners; None for an idea of no planner."""
    ideas: tuple[IdeaCard, ...] = ()
    """All ideas that the planner had this time."""


class View(NamedTuple):
    """All a proposer may know about one attempt: stateless, rebuilt for every step."""

    task: Task
    position: int
    """Index of the attempt that is being made."""
    move: Move
    """Decision of the search strategy about it."""
    attempts: tuple[Attempt, ...]
    """Attempts that had ended when this one began, by index."""
    backends: tuple[str, ...]

    @property
    def parent(self) -> Attempt | None:
        """The attempt to go on from; None for a fresh start."""
        return self._at(self.move.parent)

    @property
    def others(self) -> tuple[Attempt, ...]:
        """Other attempts that may be learnt from."""
        found = map(self._at, self.move.others)
        return tuple(attempt for attempt in found if attempt is not None)

    def _at(self, index: int | None) -> Attempt | None:
        return next((a for a in self.attempts if a.index == index), None)


class Proposer(Protocol):
    """A source of candidates for one task; several attempts may be under way at once, in threads.

    A step's result depends only on its arguments and on answers that were paid for. `plan`, `code`
    and `diagnose` may raise BudgetExhausted.
    """

    @property
    def name(self) -> str:
        """`offline`, or the model's `provider/name`."""

    def plan(self, view: View) -> Idea | None:
        """Return the next idea; None when there is nothing left to try."""

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """Return the candidate; None where there is nothing to write.

        Raises:
            NoUsableAnswer: a model's answers hold no file that can be evaluated.
            ProviderError: the model's provider failed for good.
        """

    def diagnose(self, view: View, attempt: Attempt) -> str:
        """Return a bottleneck and a fix for an evaluated attempt; empty where none is asked for."""

    def usage(self, index: int) -> Usage:
        """Return the usage of the attempt at `index`."""

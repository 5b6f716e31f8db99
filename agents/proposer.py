"""The `Proposer` seam: what fills the workflow's planner, coder and profiler nodes.

`offline` and every language model are proposers; the workflow does not know which one it runs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kernelwright.errors import KernelwrightError
from kernelwright.schema import Attempt, Candidate, Record, Scalar, Task, Usage


class BudgetExhausted(KernelwrightError):
    """The next step would cost money, and there is none left: ends the search, not the run."""


class Idea(Record):
    """What to try next, in words and in what the coder needs."""

    text: str
    backend: str
    parameters: dict[str, Scalar] = {}
    """For a tuner: the point of its space."""


class View(NamedTuple):
    """All a proposer may know: stateless, rebuilt for every step."""

    task: Task
    attempts: tuple[Attempt, ...]
    """The task's history, in order."""
    parent: Attempt | None
    """What the search strategy wants to go on from; None for a fresh start."""
    diagnosis: str
    """The profiler's last word; empty before the first."""
    backends: tuple[str, ...]

    @property
    def last(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None


class Proposer(Protocol):
    """Proposes candidates for one task. Each of its steps may raise BudgetExhausted."""

    @property
    def name(self) -> str:
        """`offline`, or the model's `provider/name`."""

    def plan(self, view: View) -> Idea | None:
        """What to try next; None when there is nothing left to try."""

    def code(self, view: View, idea: Idea) -> Candidate | None:
        """The candidate; None when no usable answer could be had (nothing to evaluate)."""

    def diagnose(self, view: View) -> str:
        """One bottleneck and one fix, from the latest evaluation."""

    def take_usage(self) -> Usage:
        """What was used since the last call of this method."""

"""Everything that the tasks of a run share, and the observer that is told what happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.agents.offline.trace import Traced
from kernelwright.agents.proposer import Hear, Note, Proposer
from kernelwright.agents.search_context import Phase, go_on
from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Attempt, Criteria, Evaluation, SearchSettings, Task
from kernelwright.store.store import Store
from kernelwright.verifier.reference.reference import Reference


class Progress(Protocol):
    """An observer of a run, told what happens."""

    def phase(self, task: Task, phase: Phase | str, text: str) -> None:
        """Report that a step starts."""

    def heard(self, task: Task, characters: int) -> None:
        """Report how much of a model's answer has come; called often, and from several threads."""

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """Report that an attempt was stored."""

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """Report that a finalist was measured again."""


class Unobserved:
    """An observer that does nothing with what it is told."""

    def phase(self, task: Task, phase: Phase | str, text: str) -> None:
        """See `Progress.phase`."""

    def heard(self, task: Task, characters: int) -> None:
        """See `Progress.heard`."""

    def attempt(self, task: Task, attempt: Attempt) -> None:
        """See `Progress.attempt`."""

    def final(self, task: Task, evaluation: Evaluation) -> None:
        """See `Progress.final`."""


class Engine(NamedTuple):
    """Everything that the tasks of a run share."""

    run_id: str
    store: Store
    machine: Machine
    cache: Path
    """Folder of the build cache."""
    criteria: Criteria
    search: SearchSettings
    backends: tuple[str, ...]
    make_proposer: Callable[[Task, Reference, Traced, Note, Hear], Proposer]
    """Makes the proposer of a task."""
    progress: Progress
    checkpoint: Callable[[], None] = go_on
    """Called before anything new is started; raises KeyboardInterrupt where that is not wanted."""

"""The data of a report: a task with its answer, its attempts and its model calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kernelwright.schema import Attempt, Candidate, ModelCall, Run, Task, Usage
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store


class TaskBundle(NamedTuple):
    """One task of a run. `result` is None while the task has no answer."""

    task: Task
    result: TaskResult | None
    attempts: Sequence[Attempt]
    calls: Sequence[ModelCall]

    @property
    def usage(self) -> Usage:
        """Usage of all model calls, those included that led to no attempt."""
        return sum((call.usage for call in self.calls), Usage.zero())

    @property
    def best(self) -> Candidate | None:
        """The answer's file, as it is delivered; None when there is none."""
        wanted = self.result.candidate_hash if self.result else None
        if self.result and self.result.delivered:
            return self.result.delivered
        made = (attempt.candidate for attempt in self.attempts)
        return next((one for one in made if one and one.hash == wanted), None)


def bundle(store: Store, run_id: str, task: Task) -> TaskBundle:
    """Collect one task of a run."""
    results = {result.task_id: result for result in store.task_results_of(run_id)}
    return TaskBundle(
        task,
        results.get(task.id),
        store.attempts_of(run_id, task.id),
        store.model_calls_of(run_id, task.id),
    )


def bundles(store: Store, run: Run) -> list[TaskBundle]:
    """Collect all tasks of a run, in their order."""
    return [bundle(store, run.id, task) for task in store.tasks_of(run.id)]

"""A run over many tasks: what is missing is done, and an error becomes the result of its task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kernelwright.agents.optimize import optimize_task
from kernelwright.batch.metrics import SuiteMetrics, suite_metrics
from kernelwright.batch.run import OpenRun, finish
from kernelwright.errors import InfrastructureError, UsageError
from kernelwright.schema import Run, RunStatus, Task, digest
from kernelwright.store.results import TaskResult

PUT_OFF = "put off"
"""Event of a task with times that decide nothing; the order in which they are tried again."""


class SuiteResult(NamedTuple):
    """The results of a run over many tasks, in the order of the tasks."""

    run: Run
    results: tuple[TaskResult, ...]
    waiting: tuple[str, ...] = ()
    """Ids of tasks that have no answer, because the run was interrupted."""

    @property
    def metrics(self) -> SuiteMetrics:
        """The figures of the suite, over all tasks."""
        return suite_metrics(self.results, len(self.results) + len(self.waiting))

    @property
    def has_improved(self) -> bool:
        """Whether a faster implementation of any task was proven."""
        return any(result.status == "improved" for result in self.results)

    def document(self) -> dict[str, Any]:
        """Return the results and their figures as plain data."""
        return {
            "schema_version": 1,
            "run_id": self.run.id,
            "metrics": self.metrics.model_dump(mode="json"),
            "tasks": [result.model_dump(mode="json") for result in self.results],
            "waiting": list(self.waiting),
        }


def suite_config(tasks: Sequence[Task]) -> Mapping[str, str]:
    """Return what defines a run over these tasks besides its settings."""
    return {"suite": digest([task.hash for task in tasks])}


def missing_tasks(opened: OpenRun, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks without a final result in this run, in the order in which they are run.

    Those without any result come first, and the one that was put off last comes last, so that no
    task keeps the others waiting each time that the run is continued.
    """
    store, run_id = opened.store, opened.run.id
    is_open = {result.task_id: result.is_open for result in store.task_results_of(run_id)}
    put_off = {name: number for number, name in _put_off(opened)}
    missing = [task for task in tasks if is_open.get(task.id, True)]
    return sorted(missing, key=lambda task: (task.id in is_open, put_off.get(task.id, -1)))


def run_suite(
    opened: OpenRun, tasks: Sequence[Task], on_result: Callable[[Task], None] = lambda _: None
) -> SuiteResult:
    """Run the missing tasks, mark the run as done, and return the results of all.

    Where the machine was too busy to decide on a task, the others go first, and it is tried once
    more in the end.

    Args:
        on_result: called with each task of which a result was stored.
    """
    for task in tasks:  # all, so that what is read of an interrupted run names them
        opened.store.add_task(opened.run.id, task)
    undecided = []
    for task in missing_tasks(opened, tasks):
        if _run_task(opened, task).is_undecided:
            opened.store.add_event(opened.run.id, f"{task.id}: {PUT_OFF}: the machine was busy")
            undecided.append(task)
        on_result(task)
    for task in undecided:
        _run_task(opened, task)
        on_result(task)
    return results_so_far(opened, tasks, "done")


def results_so_far(opened: OpenRun, tasks: Sequence[Task], status: RunStatus) -> SuiteResult:
    """Store the end of a run over many tasks, and return the results that there are."""
    results = {result.task_id: result for result in opened.store.task_results_of(opened.run.id)}
    run = finish(opened.store, opened.run, status)
    waiting = tuple(task.id for task in tasks if task.id not in results)
    return SuiteResult(run, tuple(results[t.id] for t in tasks if t.id in results), waiting)


def _put_off(opened: OpenRun) -> Iterator[tuple[int, str]]:
    """Yield the number of each such event, in order, with the id of its task."""
    for event in opened.store.events_of(opened.run.id):
        name, is_put_off, _ = event.text.partition(f": {PUT_OFF}")
        if is_put_off:
            yield event.number, name


def _run_task(opened: OpenRun, task: Task) -> TaskResult:
    try:
        return optimize_task(opened.engine, task)
    except (InfrastructureError, UsageError) as error:
        status = "unusable" if isinstance(error, UsageError) else "error"
        result = TaskResult(task_id=task.id, status=status, error=error.message)
        opened.store.add_task_result(opened.run.id, result)
        return result

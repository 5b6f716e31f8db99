"""A run over many tasks: what is missing is done, and an error becomes the result of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kernelwright.agents.optimize import optimize_task
from kernelwright.batch.metrics import SuiteMetrics, suite_metrics
from kernelwright.batch.run import OpenRun, finish
from kernelwright.errors import InfrastructureError, UsageError
from kernelwright.schema import Run, Task, digest
from kernelwright.store.results import TaskResult


class SuiteResult(NamedTuple):
    """The results of a run over many tasks, in the order of the tasks."""

    run: Run
    results: tuple[TaskResult, ...]

    @property
    def metrics(self) -> SuiteMetrics:
        """The figures of the suite."""
        return suite_metrics(self.results)

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
        }


def suite_config(tasks: Sequence[Task]) -> Mapping[str, str]:
    """Return what defines a run over these tasks besides its settings."""
    return {"suite": digest([task.hash for task in tasks])}


def missing_tasks(opened: OpenRun, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks without a final result in this run."""
    known = {r.task_id for r in opened.store.task_results_of(opened.run.id) if not r.is_open}
    return [task for task in tasks if task.id not in known]


def run_suite(
    opened: OpenRun, tasks: Sequence[Task], on_result: Callable[[Task], None] = lambda _: None
) -> SuiteResult:
    """Run the missing tasks, mark the run as done, and return the results of all.

    Args:
        on_result: called with each task of which a result was stored.
    """
    missing = {task.id for task in missing_tasks(opened, tasks)}
    for task in tasks:
        opened.store.add_task(opened.run.id, task)
        if task.id in missing:
            _run_task(opened, task)
            on_result(task)
    results = {result.task_id: result for result in opened.store.task_results_of(opened.run.id)}
    run = finish(opened.store, opened.run, "done")
    return SuiteResult(run, tuple(results[task.id] for task in tasks))


def _run_task(opened: OpenRun, task: Task) -> None:
    try:
        optimize_task(opened.engine, task)
    except (InfrastructureError, UsageError) as error:
        status = "unusable" if isinstance(error, UsageError) else "error"
        result = TaskResult(task_id=task.id, status=status, error=error.message)
        opened.store.add_task_result(opened.run.id, result)

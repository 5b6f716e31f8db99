"""Attempts of stored runs together with what is known about them, the source of every export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kernelwright.schema import Attempt, Candidate, Evaluation, ModelCall, Run, Task
from kernelwright.store.results import TaskResult
from kernelwright.store.store import Store


class Evaluated(NamedTuple):
    """A candidate with the verdict of its attempt and, if it was measured again, the strict one."""

    attempt: Attempt
    candidate: Candidate
    verdict: Evaluation
    strict: Evaluation | None

    @property
    def is_proven_win(self) -> bool:
        """Whether its strict verdict finds it faster than eager, and nothing suspicious.

        Its uses were tried, and none is silently wrong or crashes: that would be suspicious. What
        the search measured on the way there has been superseded, flags and all.
        """
        final = self.strict
        if final is None or not final.is_win or not final.has_tried_uses:
            return False
        return all(flag.severity == "info" for flag in final.flags)


class TaskHistory(NamedTuple):
    """One task of one run."""

    run: Run
    task: Task
    attempts: Sequence[Attempt]
    calls: Sequence[ModelCall]
    result: TaskResult | None

    def evaluated(self) -> list[Evaluated]:
        """Return the attempts that have a verdict, each candidate once."""
        found: dict[str, Evaluated] = {}
        for attempt in self.attempts:
            if attempt.candidate is not None and attempt.evaluation is not None:
                made, verdict = attempt.candidate, attempt.evaluation
                known = Evaluated(attempt, made, verdict, self.strict_of(attempt))
                found.setdefault(made.hash, known)
        return list(found.values())

    def strict_of(self, attempt: Attempt) -> Evaluation | None:
        """Return the strict verdict on the attempt's candidate, its re-measurement first."""
        if attempt.candidate is None:
            return None
        result, own = self.result, attempt.evaluation
        if result and result.evaluation and result.candidate_hash == attempt.candidate.hash:
            return result.evaluation  # of the same code, behind its guard
        return own if own is not None and own.level == "strict" else None


def histories(store: Store, run_ids: Sequence[str]) -> Iterator[TaskHistory]:
    """Yield all tasks of the runs, one at a time, in order.

    Raises:
        UsageError: a run is unknown.
    """
    runs = [store.get_run(run_id) for run_id in run_ids]
    for run in runs:
        results = {result.task_id: result for result in store.task_results_of(run.id)}
        for task in store.tasks_of(run.id):
            trajectory = store.trajectory(run.id, task.id)
            result = results.get(task.id)
            yield TaskHistory(run, task, trajectory.attempts, trajectory.calls, result)

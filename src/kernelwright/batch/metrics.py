"""The figures of a suite: fast_p, mean and median speedup, coverage.

`fast_p` is KernelBench's (Ouyang et al. 2025, arXiv 2502.10517, section 3): the share of tasks
with an answer that is correct and more than p times as fast as eager PyTorch,
`fast_p = (1/n) * #{i : correct_i and speedup_i > p}`, strictly greater. `n` is always the number of
all tasks, so that failures, refusals and infrastructure errors stay in the denominator. Speedups
are those of the strict re-measurement; where no candidate is faster, those of a shorter one.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from kernelwright.schema import Record
from kernelwright.store.results import TaskResult

THRESHOLDS = (0.0, 0.8, 1.0, 1.2, 1.5, 2.0)


class SuiteMetrics(Record):
    """The figures of a run on a suite; ratios are None where there are no tasks."""

    tasks: int
    """Number of all tasks (n), whatever their outcome."""
    measured: int
    """Number of tasks on which candidates could be measured."""
    errors: int
    """Number of tasks that ended in an infrastructure error."""
    unusable: int
    """Number of tasks that are at fault themselves, by a reference that raises, for example."""
    improved: int
    fast_p: dict[float, float | None]
    geometric_mean: float | None
    """Geometric mean of the speedup over eager, over all n tasks. A task without improvement counts
    as 1.0, because its reference is kept."""
    median: float | None
    """Median of the same speedups."""

    @property
    def coverage(self) -> float | None:
        """Share of tasks that could be measured; below 1 the other figures are lower bounds."""
        return self.measured / self.tasks if self.tasks else None


def suite_metrics(results: Sequence[TaskResult], tasks: int | None = None) -> SuiteMetrics:
    """Return the figures for `results`; `tasks` is n where some tasks have no answer yet.
    Raises:
        ValueError: there are more results than tasks.
    """
    total = len(results) if tasks is None else tasks
    if len(results) > total:
        raise ValueError(f"{len(results)} results for {total} tasks")
    counts = Counter(result.status for result in results)
    speedups = [_kept_speedup(result) for result in results]
    speedups += [1.0] * (total - len(results))
    return SuiteMetrics(
        tasks=total,
        measured=sum(not result.has_failed for result in results),
        errors=counts["error"],
        unusable=counts["unusable"],
        improved=counts["improved"],
        fast_p={p: fast_p(results, p, total) for p in THRESHOLDS},
        geometric_mean=statistics.geometric_mean(speedups) if speedups else None,
        median=statistics.median(speedups) if speedups else None,
    )


def fast_p(results: Sequence[TaskResult], p: float, tasks: int) -> float | None:
    """Return the share of `tasks` with an accepted answer more than `p` times as fast as eager.

    With `p` 0, an accepted answer need not be timed. None where `tasks` is 0.
    """
    if tasks == 0:
        return None
    return sum(_counts(result, p) for result in results) / tasks


def _counts(result: TaskResult, p: float) -> bool:
    if result.evaluation is None or not result.evaluation.accepted or result.is_wrong_elsewhere:
        return False
    if p == 0:
        return True
    return result.speedup is not None and result.speedup > p


def _kept_speedup(result: TaskResult) -> float:
    improved = result.status == "improved" and result.speedup is not None
    return result.speedup if improved and result.speedup is not None else 1.0

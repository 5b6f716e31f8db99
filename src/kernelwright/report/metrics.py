"""The figures of a suite: fast_p, mean and median speedup, coverage.

`fast_p` is KernelBench's (Ouyang et al. 2025, arXiv 2502.10517, section 3): the share of tasks
whose answer is correct and more than p times as fast as eager PyTorch,
`fast_p = (1/n) * #{i : correct_i and speedup_i > p}`, strictly greater. `n` is always the number of
all tasks, so that failures, refusals and infrastructure errors stay in the denominator. Speedups
are those of the strict re-measurement.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from kernelwright.schema import Record
from kernelwright.store.results import TaskResult

THRESHOLDS = (0.0, 0.8, 1.0, 1.2, 1.5, 2.0)


class SuiteMetrics(Record):
    """What a run reached on a suite; None where there are no tasks."""

    tasks: int
    """n: all tasks, whatever became of them."""
    measured: int
    """Tasks on which candidates could be measured."""
    errors: int
    """Tasks that ended in an infrastructure error."""
    unusable: int
    """Tasks that are at fault themselves: a reference that raises, say."""
    improved: int
    fast_p: dict[float, float | None]
    geometric_mean: float | None
    """Of the speedup over eager, over all n tasks; 1.0 where nothing better was found, because
    the reference is then kept."""
    median: float | None
    """The same variant: over all n tasks, 1.0 where nothing better was found."""

    @property
    def coverage(self) -> float | None:
        """Share of tasks that could be measured; below 1 the other figures are lower bounds."""
        return self.measured / self.tasks if self.tasks else None


def suite_metrics(results: Sequence[TaskResult], tasks: int | None = None) -> SuiteMetrics:
    """The figures for `results`; `tasks` is n where some tasks have no answer yet.

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
    """Share of `tasks` with an accepted answer more than `p` times as fast as eager."""
    if tasks == 0:
        return None
    return sum(_counts(result, p) for result in results) / tasks


def _counts(result: TaskResult, p: float) -> bool:
    if result.evaluation is None or not result.evaluation.accepted:
        return False
    if p == 0:
        return True
    return result.speedup is not None and result.speedup > p


def _kept_speedup(result: TaskResult) -> float:
    improved = result.status == "improved" and result.speedup is not None
    return result.speedup if improved and result.speedup is not None else 1.0

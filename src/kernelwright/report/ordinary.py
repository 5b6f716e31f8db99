"""A proven file in ordinary interpreters, in words."""

from __future__ import annotations

from kernelwright.report import format as fmt
from kernelwright.schema import OrdinaryRun, Prediction
from kernelwright.store.results import TaskResult

# The ends of an interval that tells something differ by no more than this factor.
TELLS = 4.0


def ordinary_words(run: OrdinaryRun) -> str:
    """Return what ordinary interpreters say, in one sentence."""
    if run.right is False:
        return f"In an ordinary interpreter it is wrong: {fmt.sentence(run.problem or '')}"
    if run.speedup is None:
        return f"In an ordinary interpreter it was not timed: {fmt.sentence(run.problem or '')}"
    return f"In an ordinary interpreter {comparison(run.speedup)}: {prediction(run.speedup)}."


def comparison(found: Prediction) -> str:
    """Return what a prediction says about the next run."""
    if found.is_faster:
        return "it is faster"
    low, high = found.pi95
    if high < 1:
        return "it is slower"
    return "it may not be faster" if high < TELLS * low else "the times differ too much to tell"


def prediction(found: Prediction) -> str:
    """Return a ratio with the interval for one more run."""
    return fmt.ratio_in(found.median, found.pi95)


def conditions(run: OrdinaryRun) -> str:
    """Return how the time came about, and what it is worth; empty where there is none."""
    if run.speedup is None:
        return ""
    eager, own = fmt.microseconds(run.eager_us), fmt.microseconds(run.candidate_us)
    return (
        "The judge times with huge pages and an allocator that keeps what is freed, so that luck "
        f"decides least. The ordinary figure is from {len(run.speedups)} fresh interpreters with "
        f"the default allocator and all threads (eager {eager}, this file {own}); its interval is "
        "where one more run will lie. It tells what you see, and proves nothing: the process that "
        "runs the file owns that clock. reproduce.py measures it again."
    )


def measured_before(result: TaskResult) -> str:
    """Return what a report says about speed, for the last line of reproduce.py."""
    assert result.evaluation is not None
    eager = fmt.speedup(result.evaluation.speedup["eager"])
    before = f"The report of this file says {eager} under the judge's conditions"
    if result.ordinary is None or result.ordinary.speedup is None:
        return f"{before}."
    return f"{before}, and for a run like this {prediction(result.ordinary.speedup)}."

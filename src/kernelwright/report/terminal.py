"""Results in a terminal: rich tables where there is one, plain lines where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from kernelwright.batch.metrics import SuiteMetrics
from kernelwright.delivery.scope import OUTSIDE
from kernelwright.report import format as fmt
from kernelwright.report.authorship import authorship
from kernelwright.report.ordinary import ordinary_words
from kernelwright.report.view import headline_of
from kernelwright.store.results import TaskResult

STYLES = {"win": "green", "none": "default", "infra": "yellow"}
COLUMNS = ("task", "answer", "vs eager", "vs torch.compile")


def metrics_table(metrics: SuiteMetrics) -> Table:
    """Return a table of a suite's figures, fast_p first."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _figures(metrics):
        table.add_row(name, value)
    return table


def metrics_text(metrics: SuiteMetrics) -> str:
    """Return a suite's figures as plain lines, fast_p first."""
    figures = _figures(metrics)
    width = max(len(name) for name, _ in figures)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in figures)


def results_table(results: Sequence[TaskResult]) -> Table:
    """Return a table of results, with a row for each task."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for result in results:
        name, word, *speedups = _row(result)
        table.add_row(Text(name), Text(word, style=STYLES[headline_of(result).tone]), *speedups)
    return table


def results_text(results: Sequence[TaskResult], waiting: Sequence[str] = ()) -> str:
    """Return the results as plain, aligned lines.

    Args:
        waiting: ids of tasks that have no answer yet.
    """
    unanswered = headline_of(None).word
    rows = [(name, unanswered, fmt.NOT_MEASURED, fmt.NOT_MEASURED) for name in waiting]
    lines = [COLUMNS, *(_row(result) for result in results), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in line).rstrip() for line in padded)


def open_questions(results: Sequence[TaskResult]) -> str:
    """Return why each task without an answer has none, and what to do; empty where all have one."""
    answers = [(result.task_id, headline_of(result)) for result in results]
    return "\n".join(
        f"{name}: {answer.word}: {answer.detail}"
        for name, answer in answers
        if answer.tone == "infra"
    )


def task_summary(result: TaskResult) -> str:
    """Return the answer for one task in plain lines: what was found, and where it holds."""
    answer = headline_of(result)
    lines = [f"{result.task_id}: {answer.headline}", answer.detail]
    if result.status == "improved" and result.scope is not None:
        lines.append(f"proven for: {'; '.join(result.scope.words())}")
        lines.append(OUTSIDE[0])
    if result.status == "improved" and result.ordinary is not None:
        lines.append(ordinary_words(result.ordinary))
    return "\n".join(filter(None, lines))


def _figures(metrics: SuiteMetrics) -> list[tuple[str, str]]:
    shares = [(f"fast_{p:g}", _share(share)) for p, share in metrics.fast_p.items()]
    return [
        *shares,
        ("geometric mean (reference kept = 1)", _ratio(metrics.geometric_mean)),
        ("median (reference kept = 1)", _ratio(metrics.median)),
        ("improved", f"{metrics.improved} of {metrics.tasks}"),
        ("measured", f"{metrics.measured} of {metrics.tasks}"),
        ("unusable tasks", str(metrics.unusable)),
        ("infrastructure errors", str(metrics.errors)),
    ]


def _row(result: TaskResult) -> tuple[str, ...]:
    final = result.evaluation
    found = final.speedup if final and final.accepted else {}
    speedups = (fmt.speedup(found.get(name)) for name in ("eager", "compile"))
    by = f", {authorship(final).short}" if final and final.accepted else ""
    return (result.task_id, headline_of(result).word + by, *speedups)


def _share(value: float | None) -> str:
    return fmt.UNKNOWN if value is None else f"{value:.1%}"


def _ratio(value: float | None) -> str:
    return fmt.UNKNOWN if value is None else fmt.ratio(value)

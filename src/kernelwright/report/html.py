"""The HTML report: one file that needs no network, no script and no font."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kernelwright.batch.metrics import SuiteMetrics, suite_metrics
from kernelwright.report import format as fmt
from kernelwright.report.view import task_view
from kernelwright.schema import Run
from kernelwright.store.records import TaskRecord

TEMPLATE = "report.html.j2"


def render_report(run: Run, tasks: Sequence[TaskRecord]) -> str:
    """Return the report of a run, or of one of its tasks, as a complete HTML document."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(_context(run, tasks))


def _context(run: Run, tasks: Sequence[TaskRecord]) -> dict[str, Any]:
    results = [found.result for found in tasks if found.result is not None]
    duration = None if run.ended is None else run.ended - run.started
    return {
        "run": run,
        "started": fmt.moment(run.started),
        "duration": fmt.seconds(duration),
        "commit": _commit(run),
        "tasks": [task_view(found, number) for number, found in enumerate(tasks, start=1)],
        "suite": _suite(suite_metrics(results, len(tasks))) if len(tasks) > 1 else [],
        "shares": _shares(suite_metrics(results, len(tasks))) if len(tasks) > 1 else [],
        "settings": [(key, fmt.anything(value)) for key, value in run.config.items()],
        "packages": list(run.packages.items()),
    }


def _commit(run: Run) -> str:
    if run.git_commit is None:
        return fmt.UNKNOWN
    state = {True: " with local changes", False: "", None: " (state unknown)"}[run.git_dirty]
    return f"{run.git_commit[:12]}{state}"


def _suite(metrics: SuiteMetrics) -> list[tuple[str, str]]:
    mean, median = metrics.geometric_mean, metrics.median
    return [
        ("Improved", f"{metrics.improved} of {metrics.tasks} tasks"),
        ("Measured", f"{metrics.measured} of {metrics.tasks} tasks"),
        ("Geometric mean", fmt.UNKNOWN if mean is None else fmt.ratio(mean)),
        ("Median", fmt.UNKNOWN if median is None else fmt.ratio(median)),
    ]


def _shares(metrics: SuiteMetrics) -> list[tuple[str, str]]:
    found = metrics.fast_p.items()
    return [(f"{p:g}", fmt.UNKNOWN if share is None else f"{share:.0%}") for p, share in found]

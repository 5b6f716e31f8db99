"""`kernelwright bench`: every task in a folder; the same command again continues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kernelwright.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernelwright.cli.run import OpenRun
    from kernelwright.config import Settings
    from kernelwright.schema import Task
    from kernelwright.store.results import TaskResult


def bench(
    folder: Annotated[Path, typer.Argument(help="Task folders, or KernelBench-format files.")],
    filter_: Annotated[
        str | None, typer.Option("--filter", help="Only tasks whose id contains this text.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run [made from the command].")
    ] = None,
    model: options.Model = None,
    backend: options.Backends = None,
    target: options.Target = None,
    search: options.Search = None,
    attempts: options.Attempts = None,
    budget_usd: options.Budget = None,
    time_limit: options.TimeLimit = None,
    sandbox: options.Sandbox = None,
    tolerance: options.Tolerance = None,
    policy: options.Policy = None,
    set_: options.Sets = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    out: options.OutFolder = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Optimize every task of a folder and print the fast_p table.

    Results are written as they come; the same command again does what is missing. A --set value
    goes to the tasks that have a constant of that name.
    """
    from kernelwright.cli.names import check_names
    from kernelwright.config import load_settings
    from kernelwright.tasks.constants import parse_setting
    from kernelwright.tasks.suite import chosen_files, load_sized, suite_files

    settings = load_settings(
        {
            "model": model,
            "backends": backend,
            "target": target,
            "search": search,
            "attempts": attempts,
            "budget_usd": budget_usd,
            "time_limit_s": time_limit,
            "sandbox": sandbox,
            "tolerance": tolerance,
            "policy": policy,
            "seed": seed,
            "threads": threads,
            "out": out,
            "store": store,
        }
    ).settings
    check_names(settings)
    values = dict(map(parse_setting, set_ or []))
    files = chosen_files(suite_files(folder), filter_)[:limit]
    tasks = [load_sized(path, values, settings.tolerance) for path in files]
    run_bench("bench", tasks, settings, run or default_name(folder, tasks, settings), json)


def default_name(folder: Path, tasks: Sequence[Task], settings: Settings) -> str:
    """Return a run's name, the same for the same command, so that it continues its own run."""
    from kernelwright.config import identity
    from kernelwright.schema import digest

    what = [identity(settings), [task.hash for task in tasks]]
    return f"bench-{folder.resolve().name}-{digest(what)[:8]}"


def run_bench(
    command: Literal["bench", "demo"],
    tasks: Sequence[Task],
    settings: Settings,
    run_id: str,
    json: bool,
) -> None:
    """Run the missing tasks of a suite, print the table, and exit 0 when any task improved."""
    from kernelwright.cli.progress import shown_progress
    from kernelwright.cli.run import announce, open_run, require_budget, require_writable
    from kernelwright.schema import digest

    folder = settings.out / run_id
    config = {"suite": digest([task.hash for task in tasks])}
    require_budget(settings, tasks)
    hint = "the same command again" if command == "bench" else "`kernelwright demo` starts anew"
    with (
        shown_progress(settings.attempts) as progress,
        open_run(command, settings, progress, config, run_id, hint) as opened,
    ):
        require_writable(folder)
        known = {r.task_id: r for r in opened.store.task_results_of(run_id)}
        announce(settings, [t for t in tasks if t.id not in known or known[t.id].is_open])
        for task in tasks:
            opened.store.add_task(run_id, task)
            if task.id not in known or known[task.id].is_open:
                known[task.id] = _one(opened, task, folder)
        results = [known[task.id] for task in tasks]
        document = _write_suite(opened, results, folder)
    _print_suite(results, folder, document if json else None)
    raise typer.Exit(0 if any(r.status == "improved" for r in results) else 1)


def _one(opened: OpenRun, task: Task, folder: Path) -> TaskResult:
    """Run one task; an error becomes its result, and the suite goes on."""
    from kernelwright.agents.optimize import optimize_task
    from kernelwright.errors import InfrastructureError, UsageError
    from kernelwright.report.bundle import bundle
    from kernelwright.report.result import write_result
    from kernelwright.store.results import TaskResult

    try:
        result = optimize_task(opened.engine, task)
    except (InfrastructureError, UsageError) as error:
        status = "unusable" if isinstance(error, UsageError) else "error"
        result = TaskResult(task_id=task.id, status=status, error=error.message)
        opened.store.add_task_result(opened.run.id, result)
    name = task.id.replace("/", "-")
    write_result(folder / name, opened.run, bundle(opened.store, opened.run.id, task))
    return result


def _write_suite(opened: OpenRun, results: list[TaskResult], folder: Path) -> str:
    """Write bench.json and the report of the whole run; return the text of bench.json."""
    from json import dumps

    from kernelwright.cli.run import finish
    from kernelwright.report.bundle import bundles
    from kernelwright.report.html import render_report
    from kernelwright.report.metrics import suite_metrics
    from kernelwright.store.files import write_all_atomically

    run = finish(opened.store, opened.run, "done")
    report = render_report(run, bundles(opened.store, run))
    document = {
        "schema_version": 1,
        "run_id": run.id,
        "metrics": suite_metrics(results).model_dump(mode="json"),
        "tasks": [result.model_dump(mode="json") for result in results],
    }
    text = dumps(document, indent=2)
    write_all_atomically(folder, {"report.html": report, "bench.json": text + "\n"})
    return text


def _print_suite(results: list[TaskResult], folder: Path, document: str | None) -> None:
    """Print the document if there is one, else the tables."""
    from rich.console import Console

    from kernelwright.report.metrics import suite_metrics
    from kernelwright.report.terminal import (
        metrics_table,
        metrics_text,
        open_questions,
        results_table,
        results_text,
    )

    if document is not None:
        typer.echo(document)
        return
    metrics, console, questions = suite_metrics(results), Console(), open_questions(results)
    if console.is_terminal:
        console.print(results_table(results))
    else:
        typer.echo(results_text(results))
    typer.echo(f"\n{questions}\n" if questions else "")
    if console.is_terminal:
        console.print(metrics_table(metrics))
    else:
        typer.echo(metrics_text(metrics))
    typer.echo(f"report: {folder / 'report.html'}")

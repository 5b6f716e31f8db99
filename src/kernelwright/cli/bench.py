"""`kernelwright bench`: every task in a folder; the same command again continues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import JUDGE, SEARCH, with_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernelwright.batch.suite import SuiteResult
    from kernelwright.config import Settings
    from kernelwright.schema import Task


ATTEMPTS = 12
"""Attempts of each task by default."""


@with_settings(*SEARCH, *JUDGE, "seed", "threads", "out", "store")
def bench(
    folder: Annotated[
        Path, typer.Argument(help="A folder of task folders or KernelBench-format files.")
    ],
    settings: Settings,
    filter_: Annotated[
        str | None, typer.Option("--filter", help="Only tasks whose id contains this text.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run [made from the command].")
    ] = None,
    set_: options.Sets = None,
    json: options.Json = False,
) -> None:
    """Optimize every task of a folder and print the fast_p table.

    Results are written as they come; the same command again does what is missing. A --set value
    goes to the tasks that have a constant of that name.
    """
    from kernelwright.cli.names import check_names
    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.suite import chosen_files, load_sized, suite_files

    check_names(settings)
    values = parse_settings(set_)
    files = chosen_files(suite_files(folder), filter_)[:limit]
    tasks = [load_sized(path, values, settings.tolerance) for path in files]
    # By budget alone, the first tasks would use up what all share.
    settings = settings.model_copy(update={"attempts": settings.attempts or ATTEMPTS})
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
    from kernelwright.batch.run import require_budget
    from kernelwright.batch.suite import missing_tasks, results_so_far, run_suite, suite_config
    from kernelwright.cli.run import announce, command_run
    from kernelwright.report.result import write_result, write_suite
    from kernelwright.store.files import require_writable

    folder = settings.out / run_id
    require_budget(settings, tasks)
    require_writable(folder)
    hint = "the same command again" if command == "bench" else "`kernelwright demo` starts anew"
    with command_run(command, settings, suite_config(tasks), run_id, hint) as (opened, say):
        announce(settings, missing_tasks(opened, tasks), say)

        def write(task: Task) -> None:
            name = task.id.replace("/", "-")
            write_result(folder / name, opened.run, opened.store.task_record(opened.run, task.id))

        try:
            suite = run_suite(opened, tasks, write)
        except KeyboardInterrupt:
            so_far = results_so_far(opened, tasks, "interrupted")
            write_suite(folder, opened.store, so_far)
            say(f"report so far: {folder / 'report.html'}")
            raise
        write_suite(folder, opened.store, suite)
    _print_suite(suite, folder, json)
    raise typer.Exit(0 if suite.has_improved else 1)


def _print_suite(suite: SuiteResult, folder: Path, json: bool) -> None:
    """Print the document, or the tables."""
    from json import dumps

    from rich.console import Console

    from kernelwright.report.terminal import (
        metrics_table,
        metrics_text,
        open_questions,
        results_table,
        results_text,
    )

    if json:
        typer.echo(dumps(suite.document(), indent=2))
        return
    console, questions = Console(), open_questions(suite.results)
    if console.is_terminal:
        console.print(results_table(suite.results))
    else:
        typer.echo(results_text(suite.results))
    typer.echo(f"\n{questions}\n" if questions else "")
    if console.is_terminal:
        console.print(metrics_table(suite.metrics))
    else:
        typer.echo(metrics_text(suite.metrics))
    typer.echo(f"report: {folder / 'report.html'}")

"""`kernelwright optimize`: one task, one verified faster file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import JUDGE, SEARCH, with_settings
from kernelwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernelwright.batch.run import OpenRun
    from kernelwright.config import Settings
    from kernelwright.report.result import ResultFiles
    from kernelwright.schema import Size, Task
    from kernelwright.store.results import TaskResult


@with_settings(*SEARCH, *JUDGE, "seed", "threads", "store")
def optimize(
    task: Annotated[
        str,
        typer.Argument(help="A KernelBench-format file, a library id, or path/module.py:Class."),
    ],
    settings: Settings,
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs",
            help="For a class: a file with get_inputs(), get_init_inputs() and get_kwargs(), or "
            "the arguments as saved by torch.save [the class's own file].",
        ),
    ] = None,
    set_: options.Sets = None,
    out: options.OutFolder = None,
    json: options.Json = False,
) -> None:
    """Find a faster implementation of a PyTorch module and prove it.

    A class in a file may use whatever your Python has: it is imported here, and torch.export
    writes a task file from it. Exit code 0: a verified faster file was written. 1: nothing faster
    was found.
    """
    from kernelwright.cli.names import check_names
    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.loader import load_task, names_class

    check_names(settings)
    sizes = parse_settings(set_)
    if names_class(task):
        loaded = _class_task(task, inputs, sizes, settings)
    elif inputs is None:
        loaded = load_task(task, sizes, settings.tolerance)
    else:
        raise UsageError(
            f"{task!r} has inputs of its own", hint="--inputs is for a class: path/module.py:Class"
        )
    run_optimize(loaded, settings, out, json)


def _class_task(
    task: str, inputs: Path | None, sizes: Mapping[str, Size], settings: Settings
) -> Task:
    from kernelwright.tasks.export.files import class_task

    if sizes:
        raise UsageError(
            "--set replaces constants of a task file, and this is a class",
            hint="its sizes are those of its inputs",
        )
    return class_task(task, inputs, settings.tolerance)


def run_optimize(
    task: Task, settings: Settings, out: Path | None, json: bool, run_id: str | None = None
) -> None:
    """Run (or continue) the optimization of one task and print the answer.

    Args:
        out: the result's own folder; a folder named after the run under `settings.out` by default.
    """
    from kernelwright.agents.optimize import optimize_task
    from kernelwright.batch.run import new_run_id, require_budget
    from kernelwright.cli.run import announce, command_run
    from kernelwright.report.result import RESULT, read_result
    from kernelwright.store.files import require_writable

    if run_id is None:
        require_budget(settings, [task])
    run_id = run_id or new_run_id()
    folder = out or settings.out / run_id
    require_writable(folder)
    if (folder / RESULT).exists():
        read_result(folder)  # refuses to replace a result of another version
    config = {"task": task.id, "overrides": task.overrides, "folder": str(folder.absolute())}
    hint = f"kernelwright runs resume {run_id}"
    with command_run("optimize", settings, config, run_id, hint) as (opened, say):
        opened.store.add_task(opened.run.id, task)
        announce(settings, [task], say)
        result = optimize_task(opened.engine, task)
        files = write_files(opened, task, folder)
    print_result(result, files, json)
    if result.is_open and not json:
        typer.echo(f"settle: {hint}" if result.is_undecided else f"again: {hint}")
    codes = {"improved": 0, "no_improvement": 1, "not_decided": 1, "error": 3}
    raise typer.Exit(codes[result.status])


def write_files(opened: OpenRun, task: Task, folder: Path) -> ResultFiles:
    """Mark the run as done and write its result folder; the run fails where that fails."""
    from kernelwright.batch.run import finish
    from kernelwright.report.result import write_result

    run = finish(opened.store, opened.run, "done")
    return write_result(folder, run, opened.store.task_record(run, task.id))


def print_result(result: TaskResult, files: ResultFiles, json: bool) -> None:
    """Print the answer on stdout."""
    from kernelwright.report.authorship import authorship
    from kernelwright.report.terminal import task_summary

    if json:
        typer.echo(files.result.read_text().rstrip())
        return
    typer.echo(task_summary(result))
    if files.candidate and result.evaluation:
        typer.echo(f"file:   {files.candidate}")
        typer.echo(f"is:     {authorship(result.evaluation).words}")
        typer.echo(f"check:  python {files.script}")
    typer.echo(f"report: {files.report}")

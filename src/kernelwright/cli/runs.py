"""`kernelwright runs`: what was done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options

if TYPE_CHECKING:
    from kernelwright.schema import Run
    from kernelwright.store.store import Store

app = typer.Typer(no_args_is_help=True, help="Look at runs, and continue them.")

RunId = Annotated[str, typer.Argument(help="A run's id, or its unique beginning.")]


def _open(store: str | None) -> Store:
    from kernelwright.config import load_settings
    from kernelwright.store.store import open_store

    return open_store(load_settings({"store": store}).settings.store)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("-n", min=1, help="The latest so many.")] = 20,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """The latest runs."""
    from json import dumps

    with _open(store) as opened:
        runs = opened.list_runs(limit)
    if json:
        typer.echo(dumps([run.model_dump(mode="json") for run in runs], indent=2))
        return
    for run in runs:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
        what = run.config.get("task") or ""
        typer.echo(f"{run.id}  {run.command:<8}  {run.status:<11}  {started}  {what}".rstrip())


@app.command("show")
def show(run: RunId, store: options.Store = None, json: options.Json = False) -> None:
    """Settings, tasks, attempts and answers of a run."""
    from json import dumps

    from kernelwright.cli.progress import outcome

    with _open(store) as opened:
        found = opened.get_run(run)
        attempts = opened.attempts_of(found.id)
        results = opened.task_results_of(found.id)
        events = opened.events_of(found.id)
    if json:
        document = {
            "run": found.model_dump(mode="json"),
            "attempts": [attempt.model_dump(mode="json") for attempt in attempts],
            "events": [event.model_dump(mode="json") for event in events],
            "results": [result.model_dump(mode="json") for result in results],
        }
        typer.echo(dumps(document, indent=2))
        return
    _print_run(found)
    for attempt in attempts:
        typer.echo(f"{attempt.task_id}: attempt {attempt.number}: {outcome(attempt)}")
    for event in events:
        typer.echo(event.text)
    if results:
        from kernelwright.report.terminal import results_text

        typer.echo(results_text(results))


def _print_run(run: Run) -> None:
    from kernelwright.cli.progress import cost_words

    typer.echo(f"{run.id}: {run.command}, {run.status}, {cost_words(run.usage)}")
    for name, value in run.config.items():
        typer.echo(f"  {name} = {value}")


@app.command("report")
def report(
    run: RunId,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    store: options.Store = None,
) -> None:
    """Write the HTML report of a run, one self-contained file."""
    from kernelwright.report.bundle import bundles
    from kernelwright.report.html import render_report
    from kernelwright.store.files import write_atomically

    with _open(store) as opened:
        found = opened.get_run(run)
        write_atomically(out, render_report(found, bundles(opened, found)))
    typer.echo(out)


@app.command("resume")
def resume(run: RunId, store: options.Store = None, json: options.Json = False) -> None:
    """Continue an interrupted `optimize` run with the settings it was started with."""
    from kernelwright.cli.optimize import run_optimize
    from kernelwright.config import Settings, load_settings
    from kernelwright.errors import UsageError

    location = load_settings({"store": store}).settings.store
    with _open(store) as opened:
        found = opened.get_run(run)
        tasks = opened.tasks_of(found.id)
    if found.command != "optimize":
        raise UsageError(
            f"run {found.id!r} is a {found.command} run", hint="give the same command again"
        )
    if found.status == "done":
        raise UsageError(f"run {found.id!r} is done", hint="`kernelwright runs show` prints it")
    known = {name: found.config[name] for name in Settings.model_fields if name in found.config}
    settings = Settings.model_validate({**known, "store": location})
    run_optimize(tasks[0], settings, Path(found.config["folder"]), json, found.id)

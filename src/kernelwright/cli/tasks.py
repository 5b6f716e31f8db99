"""`kernelwright tasks`: list, show and audit tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kernelwright.cli import options
from kernelwright.cli.flags import with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kernelwright.config import Settings
    from kernelwright.schema import Size, Task
    from kernelwright.verifier.audit.audit import AuditFinding

app = typer.Typer(no_args_is_help=True, help="Look at tasks.")


class Audited(NamedTuple):
    """A task with the audit's findings."""

    id: str
    hash: str | None
    """Identity of the task; None where the file could not be loaded."""
    findings: list[AuditFinding]


@app.command("list")
def list_tasks(json: options.Json = False) -> None:
    """List the library's tasks."""
    from json import dumps

    from kernelwright.tasks.loader import library_ids, load_task

    tasks = [load_task(name) for name in library_ids()]
    if json:
        rows = [{"id": t.id, "category": t.category, "hash": t.hash} for t in tasks]
        typer.echo(dumps(rows, indent=2))
        return
    width = max(len(task.id) for task in tasks)
    for task in tasks:
        typer.echo(f"{task.id:<{width}}  {task.category}")


@app.command("show")
def show(
    task: Annotated[str, typer.Argument(help="A KernelBench-format file, or a library id.")],
    set_: options.Sets = None,
    json: options.Json = False,
) -> None:
    """Show one task: workloads, constants that --set can replace, reference."""
    from kernelwright.tasks.constants import parse_settings
    from kernelwright.tasks.loader import load_task

    loaded = load_task(task, parse_settings(set_))
    if json:
        typer.echo(loaded.model_dump_json(indent=2))
        return
    typer.echo(f"{loaded.id}  {loaded.hash[:16]}  category {loaded.category or 'unknown'}")
    for workload in loaded.workloads:
        values = loaded.overrides_for(workload)
        sizes = ", ".join(f"{name}={value}" for name, value in values.items()) or "as written"
        typer.echo(f"  {workload.name} ({workload.role}, {workload.target or 'any'}): {sizes}")
    typer.echo(f"constants: {', '.join(_constants(loaded.source)) or 'none'}\n")
    typer.echo(loaded.source.rstrip())


def _constants(source: str) -> list[str]:
    from kernelwright import syntax
    from kernelwright.tasks.constants import constants

    found = [(c.name, c.literal) for c in constants(syntax.parse(source))]
    return [f"{name}={value}" for name, value in found if value is not None]


@app.command("audit")
@with_settings("tolerance")
def audit(
    tasks: Annotated[
        list[str], typer.Argument(help="KernelBench-format files, library ids, or folders.")
    ],
    settings: Settings,
    set_: options.Sets = None,
    json: options.Json = False,
) -> None:
    """Find tasks on which a verdict would mean nothing.

    Exit code 0: none. 1: some task is invalid. A --set value goes to the tasks of a folder that
    have a constant of that name.
    """
    from kernelwright.tasks.constants import parse_settings

    values = parse_settings(set_)
    named = [task for name in tasks for task in _named(name, values, settings)]
    audited = _shown(_audited(named, settings), json)
    found = [finding for one in audited for finding in one.findings]
    raise typer.Exit(1 if any(finding.severity == "invalid" for finding in found) else 0)


def _named(name: str, values: dict[str, Size], settings: Settings) -> list[Task | Audited]:
    """Return the tasks of an argument: one, or those of a folder that is no task itself."""
    from kernelwright.tasks.loader import load_task
    from kernelwright.tasks.suite import chosen_files, suite_files

    path = Path(name)
    if path.is_dir() and not (path / "reference.py").is_file():
        files = chosen_files(suite_files(path), None)
        return [_loaded(file, values, settings) for file in files]
    return [load_task(name, values, settings.tolerance)]


def _loaded(path: Path, values: dict[str, Size], settings: Settings) -> Task | Audited:
    """Load a folder's task; where its file is at fault, return that as a finding."""
    from kernelwright.errors import TaskError
    from kernelwright.tasks.loader import task_id
    from kernelwright.tasks.suite import load_sized
    from kernelwright.verifier.audit.audit import AuditFinding

    try:
        return load_sized(path, values, settings.tolerance)
    except TaskError as error:
        return Audited(
            task_id(path), None, [AuditFinding("unusable", "invalid", "", error.message)]
        )


def _audited(tasks: Sequence[Task | Audited], settings: Settings) -> Iterator[Audited]:
    from kernelwright.cli.machine import command_machine, terminable
    from kernelwright.verifier.audit.audit import audit
    from kernelwright.verifier.reference.reference import Reference

    with terminable(), command_machine(settings) as machine:
        for task in tasks:
            if isinstance(task, Audited):
                yield task
                continue
            with Reference.open(task, machine) as reference:
                yield Audited(task.id, task.hash, audit(reference, task.tolerance))


def _shown(audited: Iterator[Audited], json: bool) -> list[Audited]:
    """Print and return the findings: plain lines at once, a document or a table at the end."""
    from json import dumps

    from rich.console import Console

    console, done = Console(), []
    for one in audited:
        done.append(one)
        if not json and not console.is_terminal:
            for row in _rows(one):
                typer.echo(": ".join(filter(None, row)))
    if json:
        typer.echo(dumps([_document(one) for one in done], indent=2))
    elif console.is_terminal:
        console.print(_table(done))
    if not json:
        typer.echo(_summary(done))
    return done


def _rows(audited: Audited) -> Iterator[tuple[str, ...]]:
    for found in audited.findings:
        evidence = " ".join(found.evidence.split())
        yield found.severity, audited.id, found.workload, found.rule, evidence


def _document(audited: Audited) -> dict[str, Any]:
    rows = [finding._asdict() for finding in audited.findings]
    sound = all(finding.severity != "invalid" for finding in audited.findings)
    return {"task": audited.id, "hash": audited.hash, "sound": sound, "findings": rows}


def _table(audited: Sequence[Audited]) -> Any:
    from rich.table import Table
    from rich.text import Text

    styles = {"invalid": "red", "warning": "yellow"}
    table = Table(box=None, pad_edge=False)
    for name in ("finding", "task", "workload", "rule", "evidence"):
        table.add_column(name, overflow="fold")
    for one in audited:
        for severity, *cells in _rows(one):
            table.add_row(Text(severity, style=styles[severity]), *map(Text, cells))
    return table


def _summary(audited: Sequence[Audited]) -> str:
    worst = [{finding.severity for finding in one.findings} for one in audited]
    invalid = sum("invalid" in severities for severities in worst)
    warned = sum(severities == {"warning"} for severities in worst)
    return f"{len(worst)} tasks: {invalid} invalid, {warned} with warnings only"

"""`kernelwright tasks`: what can be optimized."""

from __future__ import annotations

from typing import Annotated

import typer

from kernelwright.cli import options

app = typer.Typer(no_args_is_help=True, help="Look at tasks.")


@app.command("list")
def list_tasks(json: options.Json = False) -> None:
    """The library's tasks."""
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
    """One task: workloads, constants that --set can replace, reference."""
    from kernelwright.tasks.constants import parse_setting
    from kernelwright.tasks.loader import load_task

    loaded = load_task(task, dict(map(parse_setting, set_ or [])))
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
    import ast

    from kernelwright.tasks.constants import constants

    found = [(c.name, c.literal) for c in constants(ast.parse(source))]
    return [f"{name}={value}" for name, value in found if value is not None]

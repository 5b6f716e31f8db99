"""`kernelwright config`: the settings and their sources."""

from __future__ import annotations

import typer

from kernelwright.cli import options

app = typer.Typer(no_args_is_help=True, help="Look at settings.")


@app.command("show")
def show(json: options.Json = False) -> None:
    """Print each setting with its value and the source of the value."""
    from json import dumps

    from kernelwright.config import load_settings

    settings, sources = load_settings({})
    values = settings.model_dump(mode="json")
    if json:
        rows = {name: {"value": values[name], "source": sources[name]} for name in values}
        typer.echo(dumps(rows, indent=2))
        return
    width = max(map(len, values))
    for name, value in values.items():
        typer.echo(f"{name:<{width}} = {dumps(value)}  ({sources[name]})")

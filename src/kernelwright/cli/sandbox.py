"""`kernelwright sandbox`: limits that hold here, and the image of the `docker` sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kernelwright.cli import options

app = typer.Typer(no_args_is_help=True, help="Sandboxes: what they hold on this machine.")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="docker, bwrap, process [all].")] = None,
    json: options.Json = False,
) -> None:
    """Try to get out of each sandbox in known ways, and say what stopped it.

    Exit code 1: a limit that a sandbox claims does not hold. 3: one that was named can't be had.
    """
    from json import dumps

    from kernelwright.config import load_settings
    from kernelwright.report.sandboxes import show
    from kernelwright.sandbox.check import check as tried
    from kernelwright.sandbox.registry import SANDBOXES

    cache = load_settings({}).settings.cache_dir
    found = [tried(name, cache) for name in names or SANDBOXES]
    if json:
        typer.echo(dumps([one.document() for one in found], indent=2))
    else:
        show(found)
    if any(one.broken for one in found):
        raise typer.Exit(1)
    raise typer.Exit(3 if names and any(one.info is None for one in found) else 0)


@app.command()
def build(
    variant: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    base: Annotated[str | None, typer.Option(help="Base image [Debian, or NVIDIA's].")] = None,
    wheels: Annotated[
        Path | None, typer.Option(help="Folder of wheels to install from, without a network.")
    ] = None,
) -> None:
    """Build the image that the `docker` sandbox runs workers in."""
    from kernelwright.sandbox.docker.engine import connect
    from kernelwright.sandbox.docker.image import build as build_image

    typer.echo(f"built {build_image(connect(), variant, base, wheels, typer.echo)}")

"""`kernelwright cache`: the folder of compiled candidates, its size, and emptying it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from kernelwright.verifier.build.contents import Item

app = typer.Typer(no_args_is_help=True, help="The build cache: its size, and emptying it.")


@app.command("show")
def show(json: options.Json = False) -> None:
    """Print what lies in the build cache, and how much room it takes."""
    from json import dumps

    from kernelwright.backends.cpp import MAX_HEADER_BYTES
    from kernelwright.verifier.build.contents import contents

    folder = _folder()
    parts = contents(folder)
    if json:
        sizes = {name: {"count": len(i), "bytes": _bytes(i)} for name, i in parts.items()}
        document = {"folder": str(folder), **sizes, "most_header_bytes": MAX_HEADER_BYTES}
        typer.echo(dumps(document, indent=2))
        return
    typer.echo(folder)
    for name, items in parts.items():
        most = f", at most {_size(MAX_HEADER_BYTES)}" if name == "headers" else ""
        typer.echo(f"{name:<8} {len(items):>5}  {_size(_bytes(items))}{most}")


@app.command("clean")
def clean(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what a run may be using now.")
    ] = False,
) -> None:
    """Remove precompiled headers and builds; what is needed again is made again.

    What was used within the last hour stays, because a run may be using it.
    """
    from kernelwright.verifier.build.contents import clean as remove

    removed, left = remove(_folder(), everything)
    typer.echo(f"removed {len(removed)} items, {_size(_bytes(removed))}")
    if left:
        words = f"{len(left)} items, {_size(_bytes(left))}, were used within the last hour"
        typer.echo(f"{words}; --all removes them as well")


def _folder() -> Path:
    from kernelwright.config import load_settings

    return load_settings({}).settings.cache_dir


def _bytes(items: Sequence[Item]) -> int:
    return sum(item.bytes for item in items)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"

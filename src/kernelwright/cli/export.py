"""`kernelwright export`: datasets from verified attempts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli.flags import with_settings

if TYPE_CHECKING:
    from kernelwright.config import Settings


@with_settings("store")
def export(
    runs: Annotated[list[str], typer.Argument(help="Run ids, or their unique beginnings.")],
    settings: Settings,
    format_: Annotated[str, typer.Option("--format", help="sft, grpo, preference or attempts.")],
    out: Annotated[Path, typer.Option("--out", help="The JSONL file to write.")],
) -> None:
    """Write a JSONL dataset that `datasets.load_dataset("json", ...)` loads.

    Exit code 1: the runs hold nothing for this format.
    """
    from kernelwright.rl.exporters.jsonl import export as write
    from kernelwright.store.files import require_writable
    from kernelwright.store.store import open_existing

    require_writable(out.parent)
    with open_existing(settings.store) as opened:
        ids = [opened.get_run(run).id for run in runs]
        exported = write(opened, ids, format_, out)
    typer.echo(exported.message, err=exported.rows == 0)
    raise typer.Exit(0 if exported.rows else 1)

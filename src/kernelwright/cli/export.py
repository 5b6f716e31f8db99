"""`kernelwright export`: datasets from verified attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kernelwright.cli import options


def export(
    runs: Annotated[list[str], typer.Argument(help="Run ids, or their unique beginnings.")],
    format_: Annotated[str, typer.Option("--format", help="sft, grpo, preference or attempts.")],
    out: Annotated[Path, typer.Option("--out", help="The JSONL file to write.")],
    store: options.Store = None,
) -> None:
    """Write a JSONL dataset that `datasets.load_dataset("json", ...)` loads.

    Exit code 1: the runs hold nothing for this format.
    """
    from kernelwright.config import load_settings
    from kernelwright.rl.exporters.jsonl import export as write
    from kernelwright.store.store import open_existing

    with open_existing(load_settings({"store": store}).settings.store) as opened:
        ids = [opened.get_run(run).id for run in runs]
        exported = write(opened, ids, format_, out)
    typer.echo(exported.message, err=exported.rows == 0)
    raise typer.Exit(0 if exported.rows else 1)

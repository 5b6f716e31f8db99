"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: replace a size constant; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder for results [under runs/].")]

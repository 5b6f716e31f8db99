"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="offline, provider/name, or replay:FILE [offline]."),
]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        "-b",
        help="A language to propose in; may be repeated [cpp, inductor; triton, cuda on GPUs].",
    ),
]
Target = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N [auto].")]
Search = Annotated[str | None, typer.Option(help="Search strategy [greedy].")]
Attempts = Annotated[int | None, typer.Option("--attempts", "-n", help="Candidates per task [12].")]
Budget = Annotated[
    float | None, typer.Option("--budget-usd", help="Most dollars for model calls [5].")
]
TimeLimit = Annotated[
    str | None, typer.Option("--time-limit", help="Search time per task, like 90s or 10m [10m].")
]
Sandbox = Annotated[str | None, typer.Option(help="auto, docker, bwrap or process [auto].")]
Tolerance = Annotated[str | None, typer.Option(help="default or kernelbench [default].")]
Policy = Annotated[
    str | None,
    typer.Option(help="any, or custom: the work must be in code of the candidate's own [any]."),
]
Uses = Annotated[
    str | None,
    typer.Option(
        help="flag or refuse: a use in which it is silently wrong, or crashes, refuses [flag]."
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: replace a size constant; may be repeated."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the search [0].")]
Threads = Annotated[int | None, typer.Option(help="CPU threads per worker [all].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Store = Annotated[str | None, typer.Option(help="Database of runs, a path.")]
OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder for results [under runs/].")]

"""The corpus of uses: ordinary modules, files that a model would write for them, and misuses.

`modules/` holds tasks as people write them, with options, optional arguments, branches and state.
`models_files/` holds right and narrow answers to them, one each: they are right on the workload of
their module, with its parameter names, and assume much about everything else. `misuses.toml` lists
candidates that are right on that workload and wrong in one way of using the module.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
MODULES = FOLDER / "modules"
MODEL_FILES = FOLDER / "models_files"
TABLE = FOLDER / "misuses.toml"
OUTCOMES = ("wrong", "crashes", "raises")


class Misuse(NamedTuple):
    """A candidate that is right on its module's workload, and not in every use."""

    name: str
    path: Path
    module: str
    """Name of a file in `modules/`."""
    title: str
    uses: tuple[str, ...]
    """Uses that are meant to find it; one of them is enough."""
    outcomes: tuple[str, ...]
    """Outcomes that such a use may have: a file may read wrong values, or memory that isn't its."""

    @property
    def task(self) -> Path:
        """The module's file."""
        return MODULES / f"{self.module}.py"


def modules() -> list[Path]:
    """Return the files of all modules, by name."""
    return sorted(MODULES.glob("*.py"))


def model_files() -> dict[Path, Path]:
    """Return the file that a model would write, for each module that has one."""
    return {MODULES / path.name: path for path in sorted(MODEL_FILES.glob("*.py"))}


def misuses() -> list[Misuse]:
    """Return every misuse in the order of the table. Raises KeyError for an incomplete entry."""
    entries: list[dict[str, Any]] = tomllib.loads(TABLE.read_text())["misuse"]
    return [_misuse(entry) for entry in entries]


def _misuse(entry: dict[str, Any]) -> Misuse:
    return Misuse(
        name=entry["name"],
        path=FOLDER / entry["file"],
        module=entry["module"],
        title=entry["title"],
        uses=tuple(entry["uses"]),
        outcomes=tuple(entry["outcomes"]),
    )

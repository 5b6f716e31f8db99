"""The cheat corpus: every candidate file below this folder, with what its header says about it.

`python -m tests.cheats.corpus` from the root of the repository writes README.md anew.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
INTRODUCTION = """# Cheats

Candidates that try to get a better verdict than they deserve. Each is a file that the judge must
not accept, for one of the reasons in the last column: a status, or the rule of a flag that refuses.
The numbers are those of the project's catalogue of known cheats; A: no kernel of its own, B: work
left out, C: answers from elsewhere, D: the clock, E: the judge, F: precision and semantics,
G: other candidates and the machine. What counts cores means more than one: `--threads 1`.

A file is wrong in one way only: where the cheat is about time or authorship, its values are right.
None does lasting harm where it succeeds: processes end by themselves within 20 seconds, and only
`g/h78_answers_on_disk.py` leaves something, two small files `kernelwright-cheat-*.pt` in /tmp.

| file | no. | what it does | policy | level | caught by |
|---|---|---|---|---|---|
"""


class Cheat(NamedTuple):
    """One candidate that must be refused."""

    path: Path
    catalogue: str
    """Number in the catalogue of known cheats."""
    title: str
    task: str
    """A library id, or a path from the root of the repository."""
    policy: str
    level: str
    caught_by: tuple[str, ...]
    """Statuses and rules of refusing flags; one of them is enough."""

    def is_caught(self, verdict: Mapping[str, Any]) -> bool:
        """Whether a verdict document names a reason that is meant for this cheat."""
        rules = {flag["rule"] for flag in verdict["flags"] if flag["severity"] == "refuse"}
        return bool({verdict["status"], *rules} & set(self.caught_by))


def load_corpus() -> list[Cheat]:
    """Return every cheat, by group and name."""
    return [load_cheat(path) for path in sorted(FOLDER.glob("[a-g]/h*.py"))]


def load_cheat(path: Path) -> Cheat:
    """Return a cheat by its header. Raises KeyError or TOMLDecodeError for an incomplete one."""
    lines = takewhile(lambda line: line.startswith("# "), path.read_text().splitlines())
    header = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))["cheat"]
    caught_by = tuple(header.pop("caught_by"))
    return Cheat(path=path, level=header.pop("level", "fast"), caught_by=caught_by, **header)


def readme(cheats: Iterable[Cheat]) -> str:
    """Return the text of README.md."""
    return INTRODUCTION + "".join(f"| {' | '.join(row(cheat))} |\n" for cheat in cheats)


def row(cheat: Cheat) -> Iterator[str]:
    """Yield the cells of a cheat's row in the table."""
    yield f"`{cheat.path.relative_to(FOLDER)}`"
    yield from (cheat.catalogue, cheat.title, cheat.policy, cheat.level)
    yield ", ".join(cheat.caught_by)


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(readme(load_corpus()))

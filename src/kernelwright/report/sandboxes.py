"""The limits that sandboxes hold, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernelwright.sandbox.check import Checked
from kernelwright.sandbox.probes import PROBES

STYLES = {"held": "green", "open": "yellow", "BROKEN": "bold red"}


def show(found: Sequence[Checked]) -> None:
    """Print a table with a row for each probe, then missing sandboxes and the choice of `auto`."""
    console = Console()
    there = [one for one in found if one.info is not None]
    if there:
        console.print(_alone(there[0]) if len(there) == 1 else _together(there))
    for one in found:
        if one.info is None:
            console.print(Text(f"{one.name}: not here: {one.why_not}"))
        elif one.info.lacks:
            console.print(Text(f"{one.name} does not hold: {'; '.join(one.info.lacks)}"))
    if len(found) > 1 and there:
        console.print(Text(f"auto takes {there[0].name}"))


def _alone(one: Checked) -> Table:
    table = Table("attempt", one.name, "what happened", box=None, pad_edge=False)
    for finding in one.findings:
        table.add_row(finding.probe, _word(one, finding.probe), Text(finding.words))
    return table


def _together(found: Sequence[Checked]) -> Table:
    table = Table("attempt", *(one.name for one in found), box=None, pad_edge=False)
    for probe in PROBES:
        table.add_row(probe.name, *(_word(one, probe.name) for one in found))
    return table


def _word(one: Checked, name: str) -> Text:
    held = next(finding.is_held for finding in one.findings if finding.probe == name)
    word = "held" if held else ("BROKEN" if name in one.claimed else "open")
    return Text(word, style=STYLES[word])

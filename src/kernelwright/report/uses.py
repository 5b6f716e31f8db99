"""The outcomes of a candidate's uses in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kernelwright.schema import UseOutcome, UseResult
from kernelwright.verifier.uses.catalogue import USES

WORDS: dict[UseOutcome, str] = {
    "same": "as the reference",
    "falls-back": "as the reference, by the original forward",
    "raises": "raises an error",
    "wrong": "silently wrong",
    "crashes": "crashes",
    "not-tried": "not tried",
}


class UseView(NamedTuple):
    """One line of the report's table of uses."""

    words: str
    outcome: str
    tone: str
    """`ok`, `bad` or `infra`."""
    detail: str


def uses_lines(uses: Sequence[UseResult]) -> list[str]:
    """Return a line on all uses, and one on each that is wrong or crashes; none without uses."""
    if not uses:
        return []
    counted = [
        f"{_count(uses, 'same')} as the reference",
        *_some(uses, "falls-back", "fall back"),
        *_some(uses, "raises", "raise", named=True),
        *_some(uses, "wrong", "silently wrong"),
        *_some(uses, "crashes", "crash"),
        *_some(uses, "not-tried", "not tried"),
    ]
    lines = [f"uses: {', '.join(counted)}"]
    for outcome in ("crashes", "wrong"):
        found = [use for use in uses if use.outcome == outcome]
        lines += [f"uses: {WORDS[use.outcome]}: {use.use}: {use.detail}" for use in found]
    return lines


def _count(uses: Sequence[UseResult], outcome: UseOutcome) -> int:
    return sum(use.outcome == outcome for use in uses)


def _some(
    uses: Sequence[UseResult], outcome: UseOutcome, words: str, named: bool = False
) -> list[str]:
    """Return a count in words; empty where it is 0."""
    names = [use.use for use in uses if use.outcome == outcome]
    if not names:
        return []
    return [f"{len(names)} {words}" + (f" ({', '.join(names)})" if named else "")]


def uses_view(uses: Sequence[UseResult]) -> list[UseView]:
    """Return the rows of the report's table: those that differ from the reference first."""
    tones: dict[UseOutcome, str] = {"wrong": "bad", "crashes": "bad", "not-tried": "infra"}
    order: tuple[UseOutcome, ...] = (
        *("crashes", "wrong", "raises", "falls-back"),
        *("not-tried", "same"),
    )
    return [
        UseView(
            USES[use.use].words if use.use in USES else use.use,
            WORDS[use.outcome],
            tones.get(use.outcome, "ok"),
            use.detail or "",
        )
        for outcome in order
        for use in uses
        if use.outcome == outcome
    ]

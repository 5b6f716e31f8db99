"""The flags that uses raise, and the reason where they refuse."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.schema import Flag, Status, UseResult
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.uses.catalogue import USES
from kernelwright.verifier.uses.trial import Tried

# Uses that a flag's evidence names; the verdict has them all.
MOST_NAMED = 4


def flags_of(tried: Tried) -> list[Flag]:
    """Return the flags of a trial."""
    wrong, crashing = _of(tried, "wrong"), _of(tried, "crashes")
    flags = []
    if wrong:
        flags.append(flag("wrong-outside-scope", _named(wrong)))
    if crashing:
        flags.append(flag("crashes-outside-scope", _named(crashing)))
    if tried.renamed:
        flags.append(flag("renamed-parameters", tried.renamed))
    return flags


def refusal(tried: Tried) -> tuple[Status, str]:
    """Return status and reason of a candidate that its uses refuse."""
    for found, status, how in (
        (_of(tried, "wrong"), Status.INCORRECT_NUMERICAL, "silently wrong"),
        (_of(tried, "crashes"), Status.RUNTIME_ERROR, "crashes"),
    ):
        if found:
            first = found[0]
            what = f"{how} in a use: {USES[first.use].words} ({first.detail})"
            return status, what
    return Status.RUNTIME_ERROR, tried.renamed or ""


def _of(tried: Tried, outcome: str) -> list[UseResult]:
    return [result for result in tried.results if result.outcome == outcome]


def _named(results: Sequence[UseResult]) -> str:
    words = [f"{result.use} ({result.detail})" for result in results[:MOST_NAMED]]
    more = len(results) - MOST_NAMED
    return ", ".join(words) + (f", and {more} others" if more > 0 else "")

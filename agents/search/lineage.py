"""Lineage: the attempts that an attempt goes back to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelwright.schema import Attempt


def ancestors(attempts: Sequence[Attempt], attempt: Attempt) -> Iterator[Attempt]:
    """Yield what an attempt went on from, what that went on from, and so on."""
    by_index = {one.index: one for one in attempts}
    while attempt.move.parent is not None and attempt.move.parent in by_index:
        attempt = by_index[attempt.move.parent]
        yield attempt


def begun_with(attempts: Sequence[Attempt], attempt: Attempt) -> Attempt:
    """Return the attempt that a chain of repairs began with; any other attempt itself."""
    line = ancestors(attempts, attempt)
    while attempt.move.operator == "repair" and (earlier := next(line, None)) is not None:
        attempt = earlier
    return attempt

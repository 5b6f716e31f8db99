"""Constants of a traced graph that are numbers of the caller's or of the module's.

torch.export writes Python numbers into the graph. A second trace, with each of them moved a little,
shows which constants they became.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# Numbers move towards zero by at most this share, so that probabilities stay some.
MOVE = 2.0**-10


class Source(NamedTuple):
    """A number outside of the graph that a constant can be."""

    value: float
    """Its value in the first trace."""
    entry: dict[str, str]
    """The trace's entry for an argument that is this number."""


class DependentError(Exception):
    """The error of a graph that depends on a number in another way than as a constant."""


def is_movable(number: object) -> bool:
    """Return whether a number can be moved; zero can't, since it often turns something off."""
    return type(number) is float and math.isfinite(number) and number != 0.0


def moved(numbers: Iterable[float]) -> list[float]:
    """Return numbers near the given ones, no two of them equal."""
    given = list(numbers)
    shares = (MOVE * (index + 1) / len(given) for index in range(len(given)))
    return [number * (1.0 - share) for number, share in zip(given, shares, strict=True)]


def with_sources(plain: Any, other: Any, sources: Mapping[float, Source], partly: bool) -> Any:
    """Return a trace's nodes with the sources in place of the constants that they became.

    Args:
        plain: the nodes of the first trace.
        other: those of the second one.
        sources: by their values in the second trace.
        partly: keep a constant of the first trace that depends on a source in another way.

    Raises:
        DependentError: the graph depends on a source in another way.
    """
    if isinstance(plain, dict) and isinstance(other, dict) and plain.keys() == other.keys():
        return {key: with_sources(plain[key], other[key], sources, partly) for key in plain}
    if isinstance(plain, list) and isinstance(other, list) and len(plain) == len(other):
        pairs = zip(plain, other, strict=True)
        return [with_sources(one, another, sources, partly) for one, another in pairs]
    if repr(plain) == repr(other):  # NaN too
        return plain
    source = sources.get(other) if isinstance(other, float) else None
    if source is not None and source.value == plain:
        return source.entry
    known = isinstance(plain, (int, float, dict))  # a dict is a source that was found before
    if partly and known and isinstance(other, (int, float)):
        return plain
    raise DependentError(f"{plain!r} becomes {other!r} with another one")

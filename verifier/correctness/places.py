"""The places of wrong values in a tensor: where they lie, in words, and what they have in common.

Only a few facts are kept while the pieces of a large tensor go by: which indexes of each dimension
are hit, and the steps between wrong elements of the flattened tensor. If as many elements are wrong
as there are combinations of the hit indexes, then the wrong ones are exactly these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

from kernelwright.schema import WrongElement, WrongValues
from kernelwright.verifier.inside.worker import POISONED_BYTES

# Beyond so many wrong elements only every 64th piece is looked at closely: half a second in all.
DETAILED, THINNED = 2**23, 64
# Of a longer dimension only the first and the last index are known.
LONGEST = 2**24


def _is_unwritten(values: torch.Tensor) -> torch.Tensor:
    """Return where values are still the garbage that new memory held."""
    if values.dtype.itemsize == 1:
        return torch.zeros_like(values, dtype=torch.bool)
    return (values.view(torch.uint8).view(len(values), -1) == POISONED_BYTES).all(1)


KINDS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "NaN there": torch.isnan,
    "infinite there": torch.isinf,
    "0 there": lambda values: values == 0,
    "never written there": _is_unwritten,
}


class Places:
    """A collector of the places at which one result is wrong; `add` is for `compare`.

    Args:
        candidate: the result.
        expected: what it should be, of the same shape.
    """

    def __init__(self, candidate: torch.Tensor, expected: torch.Tensor) -> None:
        self.candidate = candidate
        self.expected = expected
        self.shape = tuple(expected.shape)
        self.count = 0
        self._first, self._last = expected.numel(), -1
        self._steps: set[int] = set()
        self._hits = [Hits(size) for size in self.shape]
        self._kinds = dict.fromkeys(KINDS, 0)
        self._pieces = self._looked_at = 0

    def add(self, at: torch.Tensor) -> None:
        """Take the places of some wrong elements, as ascending indexes of the flattened tensor."""
        steps = at.diff()
        self._steps |= {int(end) for end in torch.aminmax(steps)} if steps.numel() else set()
        self._steps |= {int(at[0]) - self._last} if self.count else set()
        self._first, self._last = min(self._first, int(at[0])), max(self._last, int(at[-1]))
        self.count += at.numel()
        self._pieces += 1
        is_thinned = self.count > DETAILED and self._pieces % THINNED
        self._look(at[-1:] if is_thinned else at)

    def _look(self, at: torch.Tensor) -> None:
        where = torch.unravel_index(at, self.shape) if self.shape else ()
        for hits, index in zip(self._hits, where, strict=True):
            hits.add(index)
        values = self.candidate[where].reshape(-1)
        is_float8 = values.is_floating_point() and values.dtype.itemsize == 1
        values = values.float() if is_float8 else values
        for kind, is_so in KINDS.items():
            self._kinds[kind] += int(is_so(values).sum())
        self._looked_at += at.numel()

    def found(self, workload: str, output: int, outputs: int) -> WrongValues | None:
        """Return what was found; None where no element is wrong by itself.

        Args:
            output: position of the result among `outputs` results.
        """
        if self.count == 0:
            return None
        first = torch.unravel_index(torch.tensor(self._first), self.shape) if self.shape else ()
        index = tuple(map(int, first))
        return WrongValues(
            workload=workload,
            output=output,
            outputs=outputs,
            shape=self.shape,
            count=self.count,
            extent=tuple((hits.first, hits.last) for hits in self._hits),
            pattern=self._pattern(),
            kind=next((kind for kind, n in self._kinds.items() if n == self._looked_at), None),
            first=WrongElement(
                index=index, got=_text(self.candidate[index]), expected=_text(self.expected[index])
            ),
        )

    def _pattern(self) -> str:
        total = math.prod(self.shape)
        if self.count == total:
            return "all of them"
        sets = [hits.regular() for hits in self._hits]
        told = [one.words(*name) for one, name in zip(sets, _names(len(sets)), strict=True)]
        words = ", ".join(filter(None, told))
        is_exact = self._looked_at == self.count == math.prod(one.hits for one in sets)
        if is_exact and all(one.step for one in sets):
            return words
        if self._steps == {1}:
            at_end, at_start = self._last == total - 1, self._first == 0
            which = "the last" if at_end else "the first" if at_start else "a run of"
            return f"{which} {self.count:,} in row-major order"
        if len(self._steps) == 1 and min(self._steps) > 1:
            return f"every {ordinal(*self._steps)} in row-major order"
        return f"within {words}" if words else "scattered over all of it"


class Regular(NamedTuple):
    """The wrong indexes of one dimension."""

    size: int
    """Number of indexes of the dimension."""
    first: int
    last: int
    hits: int
    step: int | None
    """Distance of neighbours; None where it differs."""

    def words(self, one: str, many: str, of: str) -> str:
        """Return the indexes in words; empty where it is all of them.

        Args:
            one, many: a word for an index, and for several.
            of: what comes behind it.
        """
        at_end = self.last == self.size - 1
        if self.hits == 1:
            last = " (the last)" if at_end and self.size > 1 else ""
            return "" if self.size == 1 else f"{one} {self.first}{of}{last}"
        if self.step == 1 and self.hits <= self.size // 2 and (at_end or self.first == 0):
            return f"the {'last' if at_end else 'first'} {self.hits} {many}{of}"
        if self.first == 0 and at_end and self.step in (1, None):
            return ""
        span = f"from {self.first} on" if at_end else f"{self.first} to {self.last}"
        if self.step is None or self.step == 1:
            return f"{many} {span}{of}"
        is_to_end = self.last + self.step >= self.size
        span = f"from {self.first} on" if is_to_end else f"from {self.first} to {self.last}"
        return f"every {ordinal(self.step)} {one}{of} {span}"


class Hits:
    """The indexes of one dimension at which something is wrong."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.first, self.last = size, -1
        self._hit = torch.zeros(size if size <= LONGEST else 0, dtype=torch.bool)

    def add(self, index: torch.Tensor) -> None:
        """Take some indexes."""
        least, most = map(int, torch.aminmax(index))
        self.first, self.last = min(self.first, least), max(self.last, most)
        if self._hit.numel():
            self._hit[index] = True

    def regular(self) -> Regular:
        """Return what is known of all of them."""
        index = self._hit.nonzero().squeeze(1)
        steps = index.diff()
        is_even = steps.numel() and int(steps.min()) == int(steps.max())
        step = int(steps[0]) if is_even else 1 if index.numel() == 1 else None
        return Regular(self.size, self.first, self.last, index.numel(), step)


def _names(dimensions: int) -> list[tuple[str, str, str]]:
    """Return the words for an index of each dimension: singular, plural, what comes behind."""
    if dimensions == 1:
        return [("element", "elements", "")]
    if dimensions == 2:
        return [("row", "rows", ""), ("column", "columns", "")]
    return [("index", "indexes", f" of dimension {i}") for i in range(dimensions)]


def ordinal(number: int) -> str:
    """Return `8th` for 8."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number % 100 in (11, 12, 13) else endings.get(number % 10, "th")
    return f"{number}{ending}"


def _text(value: torch.Tensor) -> str:
    number = value.item()
    return str(number) if isinstance(number, int) else f"{number:.6g}"

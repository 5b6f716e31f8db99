"""Features of an attempt's kernel: they tell kinds of kernels apart, not how good they are."""

from __future__ import annotations

import re

from kernelwright.kernels.runtime import shortened
from kernelwright.schema import Attempt

# A constant that names a block or a tile, and its size.
_TILE = re.compile(r"\b\w*(?:block|tile|chunk|unroll)\w*\s*(?::\s*[\w.]+\s*)?[=({]\s*(\d+)", re.I)
_MEMORY_PATHS = {
    "shared": re.compile(r"__shared__|extern __shared|tl\.dot\b"),
    "streaming": re.compile(r"_mm\d*_stream|nontemporal|\.cs\b|evict_first", re.I),
    "packed": re.compile(r"\bpack(ed)?\b|\bpanel\b", re.I),
}


def features(attempt: Attempt) -> tuple[str, ...]:
    """Return the backend, the bound, the family of tile sizes, and the path through memory.

    A tuner's parameters give the family where there are any.
    """
    candidate, evaluation = attempt.candidate, attempt.evaluation
    assert candidate is not None and evaluation is not None
    bound = evaluation.evidence.bound if evaluation.evidence else None
    chosen, source = candidate.origin.parameters, shortened(candidate.source)
    tile = _largest(chosen) if chosen else _tile(source)
    return candidate.backend, bound or "unknown", tile, _memory_path(source)


def _largest(parameters: dict[str, bool | int | float | str]) -> str:
    numbers = [value for value in parameters.values() if type(value) is int]
    return _size(max(numbers, default=0))


def _tile(source: str) -> str:
    return _size(max((int(size) for size in _TILE.findall(source)), default=0))


def _size(number: int) -> str:
    """Return the power of four that a size belongs to: its family."""
    return f"4^{(number.bit_length() + 1) // 2}" if number else "none"


def _memory_path(source: str) -> str:
    found = [name for name, pattern in _MEMORY_PATHS.items() if pattern.search(source)]
    return "+".join(found) or "plain"

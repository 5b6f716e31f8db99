"""Large tensors in pieces, so that what is computed of one stays in a cache, and memory small.

torch uses one thread for a piece, which needs no second core to be free.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

# Elements of a piece, at most.
PIECE = 2**15


def pieces(shape: Sequence[int]) -> Iterator[tuple[int | slice, ...]]:
    """Yield where the pieces of a tensor are, in order: of at most PIECE elements each."""
    if math.prod(shape) <= PIECE:
        yield ()
        return
    inner = math.prod(shape[1:])
    rows = PIECE // inner
    if rows:
        yield from ((slice(start, start + rows),) for start in range(0, shape[0], rows))
        return
    for row in range(shape[0]):
        yield from ((row, *place) for place in pieces(shape[1:]))

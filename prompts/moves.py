"""Optimizations that planners are reminded of, a few at a time.

A planner that always sees the whole list repeats the same obvious choices; a random part of it
spreads the search (Autocomp).
"""

from __future__ import annotations

import random

SHOWN = 5
CPU_MOVES = (
    "Fuse the whole chain into one pass: intermediates stay in registers, memory is touched once.",
    "One parallel region for everything, over rows or tiles; none where waking threads costs more "
    "than the work.",
    "Split along another dimension when rows are fewer than threads, and combine partial results.",
    "Several independent vector accumulators, so that a reduction is bound by throughput and not "
    "by the latency of one add.",
    "Merge passes of a reduction (running maximum with a rescaled sum, Welford) where a row does "
    "not stay in cache; keep them apart where it does.",
    "Tile so that a block is loaded into L1 or L2 once and used for everything.",
    "Register blocking for products: a block of accumulators fills the vector registers (6 x 16 "
    "float32 with AVX2), one operand broadcast, the other from a packed panel.",
    "Leave a large matrix product to torch.mm or addmm, and fuse what comes before and after it.",
    "Polynomials on whole vectors instead of libm for exp, erf, tanh; a multiplication by the "
    "reciprocal instead of divisions.",
    "Streaming (non-temporal) stores for outputs larger than the last cache, which are not read "
    "again.",
    "Algebra first: fold constants, drop what the result does not depend on, skip masked parts.",
    "Interchange loops until the innermost runs over contiguous memory with a trip count the "
    "compiler knows; compile special cases for the sizes that are timed, with a general path.",
    "Read strided inputs where they are and write the final layout directly: no copies, no "
    "transposes, no temporary tensors.",
    "Fewer calls from Python: one C call per forward, few checks; on small inputs this dominates.",
)


def moves(device: str, *key: int) -> tuple[str, ...]:
    """A random part of the list, the same for the same key; nothing for devices without a list."""
    if device != "cpu":
        return ()
    return tuple(random.Random(repr(key)).sample(CPU_MOVES, SHOWN))

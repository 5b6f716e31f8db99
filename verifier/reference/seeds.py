"""Seeds, derived one-way from a run's secret."""

from __future__ import annotations

from kernelwright.schema import digest

# Bits of a run's secret; too many to be found by trying.
SEED_BITS = 60


def derived_seed(secret: int, *purpose: str | int) -> int:
    """Return a seed for one purpose, which tells nothing about the secret or other seeds.

    A worker can find the seed of its inputs: torch's generator uses 32 bits of it, which two of its
    numbers give away.
    """
    return int(digest([secret, *purpose])[: SEED_BITS // 4], 16)

"""What the workers' cores or GPU can do at most."""

from __future__ import annotations

from typing import NamedTuple


class Peaks(NamedTuple):
    """What the workers' cores or GPU can do at most."""

    cache_bytes_per_s: float
    """Read and written, of copying what fits into the caches."""
    flops_per_s: float
    """Of a large matrix product: float32 on CPUs, bfloat16 on GPUs, whose kernels may use it."""

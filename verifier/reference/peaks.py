"""The measured peaks of the device: bandwidth and arithmetic."""

from __future__ import annotations

from typing import NamedTuple


class Peaks(NamedTuple):
    """The peaks of the workers' cores or GPU."""

    cache_bytes_per_s: float
    """Bytes read and written per second when copying what fits into the caches."""
    flops_per_s: float
    """Operations per second of a large matrix product: float32 on CPUs; bfloat16 on GPUs, where
    kernels may use it."""

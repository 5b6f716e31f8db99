"""Times that the machine does not allow, by what was measured on it in the same run.

Only the writing of results is certain to happen: inputs need not all be read, and operations can be
saved by algebra. So the first rule refuses, and the second points.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.reference.peaks import Peaks

# The measured speeds may be this much below what can be reached.
MARGIN = 2.0


def memory_flags(peaks: Peaks, result_bytes: int, seconds: float) -> Iterator[Flag]:
    """Flag a call that ends before its results can have been written."""
    least = result_bytes / (MARGIN * peaks.cache_bytes_per_s)
    if seconds < least:
        speed, limit = result_bytes / seconds / 1e9, peaks.cache_bytes_per_s / 1e9
        evidence = f"results are written at {speed:.0f} GB/s, the caches copy {limit:.0f} GB/s"
        yield flag("faster-than-memory", evidence)


def arithmetic_flags(peaks: Peaks, flops: int, seconds: float) -> Iterator[Flag]:
    """Flag a call too short for the operations in the reference's matmuls and convolutions."""
    if flops > MARGIN * peaks.flops_per_s * seconds:
        speed, limit = flops / seconds / 1e9, peaks.flops_per_s / 1e9
        evidence = f"the reference's {flops / 1e9:.2f} GFLOP would take {speed:.0f} GFLOP/s; "
        yield flag("faster-than-arithmetic", f"{evidence}{limit:.0f} were measured here")

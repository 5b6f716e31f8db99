"""The roofline of one workload: no call can be faster than its data or its arithmetic (estimates).

Bytes are the fewest that can be moved, every input, parameter and result once, over the bandwidth
of copying memory. Operations are those of the reference's matrix products, convolutions and
attention, over the speed of a large matrix product. Both were measured on the workers' own cores or
GPU. Data that stays in caches moves faster, and algebra can save operations. (Williams, Waterman
and Patterson 2009.)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from kernelwright.schema import Bound

OVERHEAD_US = 20.0
NEAR_ROOF = 0.5
# A GPU that does nothing for most of the time waits for launches.
BUSY = 0.5


class Roof(NamedTuple):
    """The needs of one call, and the speeds of the machine."""

    bytes_moved: int
    bandwidth: float
    """Bytes per second."""
    flops: int
    flops_per_s: float

    @property
    def memory_us(self) -> float:
        """Microseconds to move the bytes."""
        return self.bytes_moved / self.bandwidth * 1e6

    @property
    def compute_us(self) -> float:
        """Microseconds to do the operations."""
        return self.flops / self.flops_per_s * 1e6

    @property
    def time_us(self) -> float:
        """The longer of both: the speed of light."""
        return max(self.memory_us, self.compute_us)

    @property
    def bound(self) -> Literal["memory", "compute"]:
        """The resource that takes longer."""
        return "memory" if self.memory_us >= self.compute_us else "compute"

    def words(self) -> list[str]:
        """Return the roof in sentences."""
        found = [
            f"at least {self.bytes_moved / 1e6:.2f} MB must be moved per call; at the measured "
            f"copy bandwidth of {self.bandwidth / 1e9:.1f} GB/s that takes {self.memory_us:.1f} us"
        ]
        if self.flops:
            found.append(
                f"{self.flops / 1e9:.3f} GFLOP per call; at the {self.flops_per_s / 1e9:.0f} "
                f"GFLOP/s of a large matrix product that takes {self.compute_us:.1f} us"
            )
        return found


def bottleneck(roof: Roof, median_us: float, busy: float | None = None) -> Bound | None:
    """Return the resource that limits, where that can be told from outside; None where not.

    Args:
        busy: share of the time for which a GPU ran kernels; None where it is not known.
    """
    if roof.time_us / median_us >= NEAR_ROOF:
        return roof.bound
    idle = busy is not None and busy < BUSY
    return "overhead" if idle or median_us < OVERHEAD_US else None


def sol_score(roof: Roof, median_us: float, baseline_us: float) -> float | None:
    """Return how far a call is from baseline to speed of light: 0.5 is the baseline, 1 the roof.

    1 / (1 + (T - T_SOL) / (T_baseline - T_SOL)), as SOL-ExecBench defines it. None where the
    baseline or the call is above this roof, which is an estimate.
    """
    if baseline_us <= roof.time_us or median_us < roof.time_us:
        return None
    return 1 / (1 + (median_us - roof.time_us) / (baseline_us - roof.time_us))

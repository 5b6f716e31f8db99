"""Evidence for the profiler agent: where the time goes, and how far the roof is.

Level `trace`: times, a memory roof, and operators by self time, by torch's profiler. The roof is an
estimate: the fewest bytes that can be moved (every input, parameter and output once) over the copy
bandwidth measured in the reference's worker.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from kernelwright.schema import Evidence, Timing
from kernelwright.verifier.expected import Prepared
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.remote import RemoteModule

PROFILED_CALLS = 3
SHOWN_OPERATORS = 5
LEAST_SHARE = 0.05
OVERHEAD_US = 20.0
NEAR_ROOF = 0.5


class Roof(NamedTuple):
    """The memory roof of one workload."""

    bytes_moved: int
    bandwidth: float
    """Bytes per second."""

    @property
    def time_us(self) -> float:
        """No call can be faster when its data comes from memory."""
        return self.bytes_moved / self.bandwidth * 1e6


def gather(
    reference: Reference, prepared: Prepared, module: RemoteModule, timing: Timing
) -> Evidence:
    """The evidence on a timed candidate, whose worker is run once more."""
    roof = memory_roof(reference, prepared)
    fraction = roof.time_us / timing.median_us
    facts = [
        f"{timing.median_us:.1f} us per call on workload {prepared.workload.name!r}",
        f"at least {roof.bytes_moved / 1e6:.2f} MB must be moved per call; at the measured copy "
        f"bandwidth of {roof.bandwidth / 1e9:.1f} GB/s that takes {roof.time_us:.1f} us",
    ]
    rows = module.profile(prepared.workload.name, 0, PROFILED_CALLS)
    facts += operator_facts(rows, PROFILED_CALLS * timing.median_us)
    bound = bottleneck(timing.median_us, fraction)
    return Evidence(level="trace", facts=tuple(facts), bound=bound, roof_fraction=fraction)


def memory_roof(reference: Reference, prepared: Prepared) -> Roof:
    """Fewest bytes and measured bandwidth."""
    moved = prepared.like.nbytes + prepared.state.nbytes + prepared.result_bytes
    return Roof(moved, reference.bandwidth)


def operator_facts(rows: list[dict[str, object]], total_us: float) -> list[str]:
    """PyTorch operators by self time as shares of the calls' time; the rest is own code.

    Shares are estimates: the profiler slows what it watches.
    """
    shares = [(str(row["name"]), float(str(row["self_us"])) / total_us) for row in rows]
    known = min(1.0, sum(share for _, share in shares))
    shown = [
        f"{name}: {min(1.0, share):.0%} of the time"
        for name, share in shares[:SHOWN_OPERATORS]
        if share >= LEAST_SHARE
    ]
    return [f"PyTorch operators take about {known:.0%} of the time", *shown]


def bottleneck(median_us: float, roof_fraction: float) -> Literal["memory", "overhead"] | None:
    """Which resource limits, where that can be told from outside; None where not."""
    if roof_fraction >= NEAR_ROOF:
        return "memory"
    return "overhead" if median_us < OVERHEAD_US else None

"""Evidence for the profiler agent: where the time goes, and how far the roof is.

Level `trace`: times, the roofline, and operators by self time, by torch's profiler.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.schema import Evidence, Timing
from kernelwright.verifier.expected import Prepared
from kernelwright.verifier.reference import Reference
from kernelwright.verifier.remote import RemoteModule
from kernelwright.verifier.roof import Roof, bottleneck, sol_score
from kernelwright.verifier.rounds import CANDIDATE, EAGER

PROFILED_CALLS = 3
SHOWN_OPERATORS = 5
LEAST_SHARE = 0.05


def gather(
    reference: Reference, prepared: Prepared, module: RemoteModule, timing: Mapping[str, Timing]
) -> Evidence:
    """The evidence on a timed candidate, whose worker is run once more.

    Args:
        timing: by side.
    """
    median_us = timing[CANDIDATE].median_us
    roof = roof_of(reference, prepared)
    rows = module.profile(prepared.workload.name, 0, PROFILED_CALLS)
    return Evidence(
        level="trace",
        facts=(
            f"{median_us:.1f} us per call on workload {prepared.workload.name!r}",
            *roof.words(),
            *operator_facts(rows, PROFILED_CALLS * median_us),
        ),
        bound=bottleneck(roof, median_us),
        roof_fraction=roof.time_us / median_us,
        sol_score=sol_score(roof, median_us, timing[EAGER].median_us),
    )


def roof_of(reference: Reference, prepared: Prepared) -> Roof:
    """What the workload needs at least, and what was measured of this machine."""
    return Roof(
        bytes_moved=prepared.like.nbytes + prepared.state.nbytes + prepared.result_bytes,
        bandwidth=reference.bandwidth,
        flops=reference.flops(prepared),
        flops_per_s=reference.peaks.flops_per_s,
    )


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

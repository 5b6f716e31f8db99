"""Evidence for the profiler agent: where the time goes, and how far the roof is.

Level `trace`: times, the roofline, and by torch's profiler operators (on a CPU) or kernels and the
gaps between them (on a GPU). Level `counters`: a CPU's hardware counters as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from kernelwright.schema import Evidence, Timing
from kernelwright.verifier.inside import time_warm
from kernelwright.verifier.profiling.perf_events import Counting, counter_facts
from kernelwright.verifier.profiling.roofline import Roof, bottleneck, sol_score
from kernelwright.verifier.reference.live_workload import LiveWorkload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.timing.rounds import CANDIDATE, EAGER
from kernelwright.verifier.worker.faults import nonsense
from kernelwright.verifier.worker.instance import Instance

PROFILED_CALLS = 3
COUNTED_US = 20_000
SHOWN_OPERATORS = 5
# Watching an operator takes about so long, which the profiler counts as the operator's own time.
WATCHING_US = 10.0
MOST_WATCHING = 0.2
LEAST_SHARE = 0.05
TIMES = TypeAdapter(dict[Literal["warm", "graph"], Annotated[float, Field(ge=0)] | None])


def gather(
    reference: Reference,
    live: LiveWorkload,
    instance: Instance,
    timing: Mapping[str, Timing],
) -> Evidence:
    """Return the evidence on a timed candidate, for which its worker runs once more.

    Args:
        instance: the candidate's.
        timing: by side.
    """
    median_us = timing[CANDIDATE].median_us
    roof = roof_of(reference, live)
    rows, total_us = instance.profile(0, PROFILED_CALLS), PROFILED_CALLS * median_us
    level: Literal["trace", "counters"] = "trace"
    if reference.machine.kind == "cpu":
        counted = _counted(instance, median_us)
        busy, more = None, [*operator_facts(rows, total_us), *counted]
        level = "counters" if counted else level
    else:
        busy = busy_share(rows, total_us)
        more = [*kernel_facts(rows, total_us), *other_times(instance)]
    return Evidence(
        level=level,
        facts=(f"{median_us:.1f} us per call on workload {live.name!r}", *roof.words(), *more),
        bound=bottleneck(roof, median_us, busy),
        roof_fraction=roof.time_us / median_us,
        sol_score=sol_score(roof, median_us, timing[EAGER].median_us),
    )


def _counted(instance: Instance, median_us: float) -> list[str]:
    """Return what hardware counters say of some calls; nothing where there are none."""
    calls = max(1, round(COUNTED_US / median_us))
    with Counting(instance.client.process.pid) as counting:
        if not counting.is_possible:
            return []
        ran = instance.run([0] * calls)
    return counter_facts(counting.found, ran.seconds)


def roof_of(reference: Reference, live: LiveWorkload) -> Roof:
    """Return what the workload needs at least, and what was measured of this machine."""
    prepared = live.prepared
    return Roof(
        bytes_moved=prepared.example_inputs.nbytes + prepared.state.nbytes + prepared.result_bytes,
        bandwidth=reference.bandwidth,
        flops=live.flops,
        flops_per_s=reference.product_speed,
    )


def busy_share(rows: list[dict[str, object]], total_us: float) -> float:
    """Return the share of the calls' time for which the GPU ran kernels; the rest are gaps."""
    return min(1.0, sum(float(str(row["self_us"])) for row in rows) / total_us)


def kernel_facts(rows: list[dict[str, object]], total_us: float) -> list[str]:
    """Return GPU kernels by time, as shares of the calls' time."""
    launches = sum(int(str(row["calls"])) for row in rows) / PROFILED_CALLS
    busy = busy_share(rows, total_us)
    shown = [
        f"{row['name']}: {float(str(row['self_us'])) / total_us:.0%} of the time"
        for row in rows[:SHOWN_OPERATORS]
    ]
    return [f"the GPU works for about {busy:.0%} of a call, in {launches:g} kernels", *shown]


def other_times(instance: Instance) -> list[str]:
    """Return what the worker itself measures: calls with inputs in caches, and replays."""
    found = instance.client.tool(Path(time_warm.__file__), "other_times", key=instance.key)
    try:
        times = TIMES.validate_python(found)
    except ValidationError as error:
        raise nonsense("no times") from error
    names = {"warm": "on the same inputs again and again", "graph": "replayed as a CUDA graph"}
    return [f"{names[name]}: {us:.1f} us" for name, us in times.items() if us is not None]


def operator_facts(rows: list[dict[str, object]], total_us: float) -> list[str]:
    """Return PyTorch operators by self time, as shares of the calls' time; the rest is own code.

    Shares are estimates: the profiler slows what it watches. Where that would be more than a fifth
    of the time, the operators are only counted.
    """
    calls = [(str(row["name"]), int(str(row["calls"])) / PROFILED_CALLS) for row in rows]
    count = sum(number for _, number in calls)
    if count * WATCHING_US * PROFILED_CALLS > MOST_WATCHING * total_us:
        names = ", ".join(f"{number:g} {name}" for name, number in calls[:SHOWN_OPERATORS])
        return [f"PyTorch operators in a call, too short to be timed: {names}"]
    shares = [(str(row["name"]), float(str(row["self_us"])) / total_us) for row in rows]
    known = min(1.0, sum(share for _, share in shares))
    shown = [
        f"{name}: {min(1.0, share):.0%} of the time"
        for name, share in shares[:SHOWN_OPERATORS]
        if share >= LEAST_SHARE
    ]
    return [f"PyTorch operators take about {known:.0%} of the time", *shown]

"""Hardware counters of a GPU, by NVIDIA Nsight Compute (`ncu`), where it is installed and allowed.

A call is repeated for every few counters, by ncu itself. The clocks are left as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kernelwright.backends.cuda import find_tool
from kernelwright.schema import Candidate, Evidence
from kernelwright.verifier.inside import time_warm
from kernelwright.verifier.reference.calls import run_once
from kernelwright.verifier.reference.candidates import load_candidate
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.reference.workload import PreparedWorkload
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.wrapped import worker_under, written

TIME = "gpu__time_duration.sum"
STALLS = {
    f"smsp__average_warps_issue_stalled_{name}_per_issue_active.ratio": words
    for name, words in {
        "long_scoreboard": "global or local memory",
        "short_scoreboard": "shared memory or special functions",
        "barrier": "a barrier",
        "math_pipe_throttle": "a busy arithmetic unit",
        "lg_throttle": "the queue of global memory",
        "mio_throttle": "the queue of shared memory",
        "wait": "a fixed latency",
    }.items()
}
# In words, with a unit for the value.
SHARES = {
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "{:.0f}% of the memory's peak",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "{:.0f}% of the multiprocessors' peak",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "{:.0f}% of the warps there could be",
    "lts__t_sector_hit_rate.pct": "{:.0f}% hits in L2",
    "l1tex__t_sector_hit_rate.pct": "{:.0f}% hits in L1",
    "l1tex__data_bank_conflicts_pipe_lsu.sum": "{:.0f} bank conflicts",
}
BYTES = ("dram__bytes_read.sum", "dram__bytes_write.sum")
METRICS = (TIME, *SHARES, *BYTES, *STALLS)
LOG = "counters.csv"
OPTIONS = (
    "--csv",
    "--print-units",
    "base",
    "--clock-control",
    "none",
    "--profile-from-start",
    "off",
    "--target-processes",
    "all",
    "--metrics",
    ",".join(METRICS),
    "--log-file",
    f"{{folder}}/{LOG}",
)
FORBIDDEN = "ERR_NVGPUCTRPERM"
SHOWN_KERNELS = 3


class Counted(NamedTuple):
    """One launch of a kernel."""

    kernel: str
    values: Mapping[str, float]
    """Values by metric."""


def with_counters(
    evidence: Evidence,
    reference: Reference,
    candidate: Candidate,
    build: Path,
    prepared: PreparedWorkload,
) -> Evidence:
    """Return the evidence with what counters say of one call, where there are any to be had."""
    ncu = find_tool("ncu")
    if ncu is None:
        return evidence
    try:
        with worker_under(
            (ncu, *OPTIONS), reference.machine, reference.task.limits, candidate, build, {}
        ) as client:
            instance = load_candidate(client, candidate, prepared).instance
            run_once(instance, prepared, [prepared.example_inputs])
            client.tool(Path(time_warm.__file__), "profiled_call", key=instance.key)
            text = written(client, LOG)
    except WorkerFault:
        return evidence  # a fact less about a candidate that was right without ncu
    facts = counter_words(parsed(text))
    level = "counters" if facts else evidence.level
    if FORBIDDEN in text:
        facts.append(f"hardware counters are there but not permitted ({FORBIDDEN})")
    return evidence.model_copy(update={"facts": (*evidence.facts, *facts), "level": level})


def parsed(text: str) -> list[Counted]:
    """Return launches in ncu's CSV, in order; what is no number is left out."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    found: dict[str, Counted] = {}
    for row in csv.DictReader(lines):
        name, value = row.get("Metric Name") or "", (row.get("Metric Value") or "").replace(",", "")
        launch = found.setdefault(row.get("ID") or "", Counted(row.get("Kernel Name") or "", {}))
        try:
            number = float(value)
        except ValueError:
            continue
        assert isinstance(launch.values, dict)
        launch.values[name] = number
    return list(found.values())


def counter_words(launches: list[Counted]) -> list[str]:
    """Return the launches that took longest, a line each."""
    order = sorted(launches, key=lambda one: -one.values.get(TIME, 0.0))
    return [f"{one.kernel[:80]}: {', '.join(_parts(one.values))}" for one in order[:SHOWN_KERNELS]]


def _parts(values: Mapping[str, float]) -> list[str]:
    parts = [words.format(values[name]) for name, words in SHARES.items() if name in values]
    if TIME in values:
        parts.insert(0, f"{values[TIME] / 1e3:.1f} us alone")
    moved = sum(values.get(name, 0.0) for name in BYTES)
    if moved:
        parts.append(f"{moved / 1e6:.1f} MB moved")
    stalls = {words: values[name] for name, words in STALLS.items() if values.get(name)}
    if stalls:
        parts.append(f"warps wait most for {max(stalls, key=lambda words: stalls[words])}")
    return parts

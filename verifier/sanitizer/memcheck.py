"""A GPU candidate run under NVIDIA's compute-sanitizer, and what that says as flags of the verdict.

torch's allocator is told to keep nothing, so that reading past a tensor leaves what was allocated.
This finds mistakes; code that wants to can tell that it is being watched.
"""

from __future__ import annotations

import re
from pathlib import Path

from kernelwright.backends.cuda import find_tool
from kernelwright.schema import Candidate, Flag
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.reference.candidates import run_every_workload
from kernelwright.verifier.reference.reference import Reference
from kernelwright.verifier.sanitizer.asan import INCOMPLETE, UNAVAILABLE
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.wrapped import worker_under, written

LOG = "memcheck.txt"
OPTIONS = ("--tool", "memcheck", "--log-file", f"{{folder}}/{LOG}")
UNCACHED = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
# ========= Invalid __global__ read of size 4 bytes
# =========     at softmax_kernel+0x70
ERROR = re.compile(r"^=+ (Invalid __\w+__ .{1,80}|Misaligned .{1,80})$", re.MULTILINE)
PLACE = re.compile(r"^=+\s+at (.{1,120})$", re.MULTILINE)


def gpu_sanitizer_flags(candidate: Candidate, reference: Reference, build: Path) -> list[Flag]:
    """Return what compute-sanitizer finds on every workload.

    Returns:
        At most one flag: a refusal for an error, else a word about what could not be looked at.
    """
    tool = find_tool("compute-sanitizer")
    if tool is None:
        return [flag(UNAVAILABLE, "compute-sanitizer is not installed")]
    report = ""
    fault: WorkerFault | None = None
    try:
        with worker_under(
            (tool, *OPTIONS), reference.machine, reference.task.limits, candidate, build, UNCACHED
        ) as client:
            try:
                run_every_workload(client, candidate, reference)
            finally:
                report = written(client, LOG)
    except WorkerFault as raised:
        fault = raised
    found = memory_error(report)
    if found is not None:
        return [flag("gpu-memory-error", found)]
    return [] if fault is None else [flag(INCOMPLETE, f"under compute-sanitizer: {fault.reason}")]


def memory_error(report: str) -> str | None:
    """Return the first error in a report, in its own words; None without one."""
    error = ERROR.search(report)
    if error is None:
        return None
    place = PLACE.search(report, error.end())
    return f"{error.group(1)} at {place.group(1)}" if place else error.group(1)

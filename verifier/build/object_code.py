"""The object code of a built candidate: facts about its arithmetic, and a digest."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from kernelwright.sandbox.machine import Machine
from kernelwright.schema import Limits
from kernelwright.verifier.build.notes import Missed, missed_loops
from kernelwright.verifier.gpu_compile.kernel import Count
from kernelwright.verifier.inside import disassemble_cpu
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.start import await_start, start_worker

COUNTS = TypeAdapter(dict[str, Count])
FEWEST = 10
SHA_256 = re.compile(r"[0-9a-f]{64}")


class ObjectCode(NamedTuple):
    """Facts about a build's object code."""

    facts: tuple[str, ...] = ()
    """Share of vector instructions in its arithmetic, as text; empty if it has too little."""
    digest: str | None = None
    """SHA-256 of its machine code and data; None if nothing was compiled, or it is unknown."""
    missed: tuple[Missed, ...] = ()
    """Loops that the compiler did not vectorise."""


def inspect_object_code(client: WorkerClient) -> ObjectCode:
    """Inspect the object files that a building worker has made."""
    return ObjectCode(_facts(client), _digest(client), missed_loops(client))


def listing(machine: Machine, limits: Limits, build: Path, name: str) -> str:
    """Return the instructions of a build's functions with `name` in theirs; empty without one.

    Args:
        build: folder of the finished build. A worker reads it: it is a candidate's.

    Raises:
        WorkerFault: that failed.
    """
    client = start_worker(machine, limits, build=build)
    try:
        await_start(client)
        found = client.tool(Path(disassemble_cpu.__file__), "listing", name=name)
    finally:
        client.process.kill()
    return found if isinstance(found, str) else ""


def _facts(client: WorkerClient) -> tuple[str, ...]:
    if platform.machine() != "x86_64":
        return ()
    try:
        found = client.tool(Path(disassemble_cpu.__file__), "floating_point")
        return vector_facts(COUNTS.validate_python(found))
    except (WorkerFault, ValidationError):
        return ()  # the candidate is judged by its values, not by these facts


def _digest(client: WorkerClient) -> str | None:
    try:
        found = client.tool(Path(disassemble_cpu.__file__), "digest")
    except WorkerFault:
        return None
    return found if isinstance(found, str) and SHA_256.fullmatch(found) else None


def vector_facts(counts: dict[str, int]) -> tuple[str, ...]:
    """Describe the vector widths' shares of floating-point instructions in the text.

    Only innermost loops are counted. Nothing is known of how often each runs: remainders and unused
    variants count in full.
    """
    total = sum(count for kind, count in counts.items() if kind != "fused")
    if total < FEWEST:
        return ()
    shares = [
        f"{counts[width] / total:.0%} on {width} bits"
        for width in ("512", "256", "128")
        if counts.get(width)
    ]
    shares.append(f"{counts.get('scalar', 0) / total:.0%} on one number")
    fused = counts.get("fused", 0) / total
    words = f"of {total} arithmetic instructions {', '.join(shares)}; {fused:.0%} fused"
    return (f"innermost loops, each counted once however often it runs: {words}",)

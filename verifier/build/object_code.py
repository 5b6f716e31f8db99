"""What is kept of a built candidate's object code: facts about its arithmetic, and a digest."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from kernelwright.verifier.gpu_compile.kernel import Count
from kernelwright.verifier.inside import disassemble_cpu
from kernelwright.verifier.worker.client import WorkerClient
from kernelwright.verifier.worker.faults import WorkerFault

COUNTS = TypeAdapter(dict[str, Count])
FEWEST = 10
SHA_256 = re.compile(r"[0-9a-f]{64}")


class ObjectCode(NamedTuple):
    """What a build's object code shows."""

    facts: tuple[str, ...] = ()
    """How much of its arithmetic is vector instructions, where it has some."""
    digest: str | None = None
    """Of its machine code and data; None where nothing was compiled, or it can't be told."""


def inspect_object_code(module: WorkerClient) -> ObjectCode:
    """What the files show that a building worker has made."""
    return ObjectCode(facts=_facts(module), digest=_digest(module))


def _facts(module: WorkerClient) -> tuple[str, ...]:
    if platform.machine() != "x86_64":
        return ()
    try:
        found = module.tool(Path(disassemble_cpu.__file__), "floating_point")
        return vector_facts(COUNTS.validate_python(found))
    except (WorkerFault, ValidationError):
        return ()  # a fact less; the candidate is judged by what it computes


def _digest(module: WorkerClient) -> str | None:
    try:
        found = module.tool(Path(disassemble_cpu.__file__), "digest")
    except WorkerFault:
        return None
    return found if isinstance(found, str) and SHA_256.fullmatch(found) else None


def vector_facts(counts: dict[str, int]) -> tuple[str, ...]:
    """In words: shares of all floating-point arithmetic in the text, loops counted once."""
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
    text = f"object code: of {total} arithmetic instructions {', '.join(shares)}; {fused:.0%} fused"
    return (text,)

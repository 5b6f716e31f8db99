"""How much of a built candidate's arithmetic is vector instructions: facts from its object code."""

from __future__ import annotations

import platform
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kernelwright.verifier.channel import WorkerFault
from kernelwright.verifier.compiled import object_code
from kernelwright.verifier.compiled.kernel import Count
from kernelwright.verifier.remote import RemoteModule

COUNTS = TypeAdapter(dict[str, Count])
FEWEST = 10


def object_code_facts(module: RemoteModule) -> tuple[str, ...]:
    """What the files show that a building worker has made; empty where there is nothing to tell."""
    if platform.machine() != "x86_64":
        return ()
    try:
        found = module.tool(Path(object_code.__file__), "floating_point")
        return vector_facts(COUNTS.validate_python(found))
    except (WorkerFault, ValidationError):
        return ()  # a fact less; the candidate is judged by what it computes


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

"""Kinds of machine instructions of NVIDIA GPUs, as far as an optimizer needs to know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

Kind = Literal[
    "tensor cores",
    "float32",
    "float64",
    "half",
    "special functions",
    "global memory",
    "shared memory",
    "local memory",
    "synchronization",
    "conversions",
    "integers and control",
]
# CUDA Binary Utilities, "Instruction Set Reference" (Ampere to Blackwell); the first that fits.
KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("tensor cores", re.compile(r"[HIDBQO]G?MMA|UTC\w*MMA|WARPGROUP")),
    ("special functions", re.compile(r"MUFU")),
    ("local memory", re.compile(r"LDL|STL")),
    ("synchronization", re.compile(r"BAR|SYNCS|(LDG)?DEPBAR|WARPSYNC|MEMBAR|FENCE|ERRBAR|CCTL")),
    ("shared memory", re.compile(r"LDSM|STSM|LDS(?!\w*G)|STS|ATOMS|LDT|STT|UTCCP")),
    ("global memory", re.compile(r"LDG|STG|ATOM|RED(?!UX)|UTMA|UBLK|LD$|ST$|LD\.|ST\.")),
    ("conversions", re.compile(r"[FI]2[FI]P?|FRND")),
    ("half", re.compile(r"H(ADD|MUL|FMA|MNMX|SET)")),
    ("float64", re.compile(r"D(ADD|MUL|FMA|SETP|MNMX)")),
    ("float32", re.compile(r"F(ADD|MUL|FMA|MNMX|SET|SEL|CHK|SWZADD)")),
)
# Padding after the last instruction of a kernel.
PADDING = ("NOP", "BRA")


def kind(instruction: str) -> Kind:
    """Return what one instruction is for."""
    for name, pattern in KINDS:
        if pattern.match(instruction):
            return name
    return "integers and control"


def mix(instructions: Mapping[str, int]) -> dict[str, int]:
    """Count the instructions of each kind in a kernel's text, most frequent first.

    One in a loop counts once, however often it runs.
    """
    found: Counter[str] = Counter()
    for name, count in instructions.items():
        if name not in PADDING:
            found[kind(name)] += count
    return dict(found.most_common())


def widest_share(instructions: Mapping[str, int]) -> float | None:
    """Return the share of global loads and stores that move 16 bytes a thread; None without any."""
    moves = {n: c for n, c in instructions.items() if re.match(r"LDG(?!DEPBAR)|STG", n)}
    total = sum(moves.values())
    return sum(c for n, c in moves.items() if ".128" in n) / total if total else None

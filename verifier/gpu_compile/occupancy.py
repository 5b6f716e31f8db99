"""Theoretical occupancy: how many warps of a kernel fit on a multiprocessor at a time.

Limits are those of the CUDA C++ Programming Guide, "Technical Specifications per Compute
Capability"; registers are given to warps in units of 256 and to groups of four warps, and every
block takes 1 KiB of shared memory more than it asks for (CUDA Occupancy Calculator).
"""

from __future__ import annotations

import math
from typing import NamedTuple

WARP = 32
REGISTER_UNIT = 256
WARP_UNIT = 4
RESERVED_SHARED_BYTES = 1024
REGISTERS = 65536


class Multiprocessor(NamedTuple):
    """Resources of one multiprocessor."""

    warps: int
    blocks: int
    shared_bytes: int


# By compute capability times ten.
MULTIPROCESSORS = {
    80: Multiprocessor(64, 32, 164 * 1024),
    86: Multiprocessor(48, 16, 100 * 1024),
    89: Multiprocessor(48, 24, 100 * 1024),
    90: Multiprocessor(64, 32, 228 * 1024),
    100: Multiprocessor(64, 32, 228 * 1024),
}


class Occupancy(NamedTuple):
    """Theoretical occupancy of a multiprocessor."""

    share: float
    """Share of the possible warps that fit; 0 where not even one block does."""
    limit: str
    """The limit that keeps more out: `warps`, `blocks`, `registers` or `shared memory`."""


def occupancy(capability: int, warps: int, registers: int, shared_bytes: int) -> Occupancy:
    """Return a kernel's occupancy by a block's warps and shared bytes, and a thread's registers.

    Raises:
        KeyError: nothing is known of that compute capability.
    """
    has = MULTIPROCESSORS[capability]
    per_warp = math.ceil(registers * WARP / REGISTER_UNIT) * REGISTER_UNIT
    warps_by_registers = REGISTERS // per_warp // WARP_UNIT * WARP_UNIT if registers else has.warps
    blocks = {
        "warps": has.warps // warps,
        "blocks": has.blocks,
        "registers": warps_by_registers // warps,
        "shared memory": has.shared_bytes // (shared_bytes + RESERVED_SHARED_BYTES),
    }
    limit = min(blocks, key=lambda name: blocks[name])
    return Occupancy(blocks[limit] * warps / has.warps, limit)

"""Optimizations that planners are reminded of, a few at a time.

A planner that always sees the whole list repeats the same obvious choices; a random part of it
spreads the search (Autocomp).
"""

from __future__ import annotations

import random
from collections.abc import Collection

from kernelwright.prompts.describe import NARROW
from kernelwright.schema import Policy

SHOWN = 5
CPU_HINTS = (
    "Fuse the whole chain into one pass: intermediates stay in registers, memory is touched once.",
    "One parallel region for everything, over rows or tiles; none where waking threads costs more "
    "than the work.",
    "Split along another dimension when rows are fewer than threads, and combine partial results.",
    "Several independent vector accumulators, so that a reduction is bound by throughput and not "
    "by the latency of one add.",
    "Merge passes of a reduction (running maximum with a rescaled sum, Welford) where a row does "
    "not stay in cache; keep them apart where it does.",
    "Tile so that a block is loaded into L1 or L2 once and used for everything.",
    "Register blocking for products: a block of accumulators fills the vector registers (6 x 16 "
    "float32 with AVX2, 14 x 32 with AVX-512), one operand broadcast, the other from a packed "
    "panel.",
    "Polynomials on whole vectors instead of libm for exp, erf, tanh; a multiplication by the "
    "reciprocal instead of divisions.",
    "Streaming (non-temporal) stores for outputs larger than the last cache, which are not read "
    "again.",
    "Algebra first: fold constants, drop what the result does not depend on, skip masked parts.",
    "Interchange loops until the innermost runs over contiguous memory with a trip count the "
    "compiler knows; compile special cases for the sizes that are timed, with a general path.",
    "Read strided inputs where they are and write the final layout directly: no copies, no "
    "transposes, no temporary tensors.",
    "Fewer calls from Python: one C call per forward, few checks; on small inputs this dominates.",
    "Prepare what depends on parameters alone at the first call and keep it (packed panels, "
    "transposes, folded scales), until a parameter changes.",
)

GPU_HINTS = (
    "Fuse the whole chain into one kernel: intermediates stay in registers, memory is touched "
    "once.",
    "16-byte loads and stores: each thread works on four neighbouring float32, with a scalar path "
    "for rows that are not aligned.",
    "Enough bytes in flight: several independent loads a thread before the first is used.",
    "One block per row while rows are many; several blocks per row, combined at the end, when rows "
    "are fewer than multiprocessors.",
    "A persistent kernel: as many blocks as fit at once, each looping over its share of the work.",
    "Merge passes of a reduction (running maximum with a rescaled sum, Welford), or keep the row "
    "in registers or shared memory between passes.",
    "Reduce by warp shuffles first, through shared memory only between warps.",
    "Tensor cores for products (float32 as three TF32 products, never one): blocks of 64 to 128 by "
    "64 to 256, the next tiles loaded asynchronously in 2 to 4 stages.",
    "Programs in an order that shares operands in L2: groups of row blocks for each column block.",
    "Fewer registers or less shared memory where occupancy is low and latency is not hidden; "
    "fewer, fatter threads where it is.",
    "Split the long dimension of a product with few outputs, and add the parts up.",
    "Algebra first: fold constants, drop what the result does not depend on, skip masked parts.",
    "Fewer launches and allocations per call: on small inputs they dominate.",
    "Prepare what depends on parameters alone at the first call and keep it (other layouts, "
    "folded scales), until a parameter changes.",
)
LEAVE_PRODUCTS = (
    "Leave a large matrix product to torch.mm or addmm, and fuse what comes before and after it.",
)
"""Not under the policy `custom`."""
NARROW_CPU_HINTS = (
    "16-bit operands half the bytes: widen them to float32 in registers, right after the load, and "
    "round once, at the store.",
    "AVX-512 BF16 and AMX take bfloat16 pairs and add in float32: pack one operand in pairs for "
    "them, once.",
)
NARROW_GPU_HINTS = (
    "16-bit operands go to the tensor cores as they are, with float32 accumulators; round once, at "
    "the store.",
    "16-byte loads hold eight 16-bit numbers: widen them in registers.",
)
"""Where operands have 16 bits."""

DIRECTIONS = (
    "Move fewer bytes: fuse passes, keep intermediates where they are made, never materialize.",
    "Use the parallel hardware better: another split of the work, balance, fewer barriers.",
    "Use the vector or matrix units better: wider operations, independent accumulators, layout.",
    "Use caches and registers better: blocking, tile sizes, prefetch, packing.",
    "Do less arithmetic: algebra, cheaper approximations within the accuracy, skipped work.",
    "Spend less around the kernel: calls, launches, allocations, checks.",
)
"""Directions for a search, in words, far apart from each other on purpose."""


def hints(
    device: str, *key: int, policy: Policy = "any", dtypes: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a random part of the device's list, the same for the same key.

    Args:
        policy: hints that it does not allow are left out.
        dtypes: of the inputs and parameters, as torch names them.
    """
    on_cpu = device == "cpu"
    known = [*(CPU_HINTS if on_cpu else GPU_HINTS), *(LEAVE_PRODUCTS if policy == "any" else ())]
    if any(name in dtypes for name in NARROW):
        known += NARROW_CPU_HINTS if on_cpu else NARROW_GPU_HINTS
    return tuple(random.Random(repr(key)).sample(known, SHOWN))

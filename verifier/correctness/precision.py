"""Flags on values that look as if computed in a lower precision than the task's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from kernelwright.schema import Flag
from kernelwright.verifier.integrity.catalog import flag
from kernelwright.verifier.tolerance import Difference
from kernelwright.verifier.worker.frames import Spec

# Range of right bits: those of float8 (e4m3: 4), bfloat16 (8), float16 and TF32 (11), with room for
# operations after the rounding. A value that is simply wrong has fewer, a float32 value more.
LOW_BITS = (3.0, 14.0)
LEAST_GAP = 5.0


def precision_flags(differences: Sequence[Difference], specs: Sequence[Spec]) -> Iterator[Flag]:
    """Yield at most one flag, on the first output with the error of a type with fewer bits."""
    for index, (difference, spec) in enumerate(zip(differences, specs, strict=False)):
        own, reference = difference.bits, difference.reference_bits
        if spec.dtype not in (torch.float32, torch.float64) or own is None:
            continue
        gap = LEAST_GAP if reference is None else reference - own
        if LOW_BITS[0] < own < LOW_BITS[1] and gap >= LEAST_GAP:
            known = "" if reference is None else f", the reference {reference:.0f}"
            evidence = f"output {index} has {own:.0f} right bits in the mean{known}"
            yield flag("precision-downgrade", evidence)
            return

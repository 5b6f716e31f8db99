"""Tensors as Python expressions: exactly where that is short, else drawn like them.

What decides how a module computes stands there exactly: masks, tables, indices that are sorted. A
large tensor of floats is drawn with the mean and standard deviation of the real one, so a file is
small however large the module is, and holds no trained weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

NUMBERS = 512
"""Most numbers that a file spells out of one tensor."""
FAR = 6.0
"""Deviations from zero at which normal numbers keep their sign."""
SAMPLE = 2**20
"""Elements that mean, deviation and range are taken from."""


def exact(tensor: torch.Tensor) -> str | None:
    """Return an expression that gives the same values, None where that is long.

    It is a constant, a list, or runs of equal numbers.
    """
    if _is_tiny(tensor.dtype):
        text = exact(tensor.float())
        return None if text is None else f"{text}.to({tensor.dtype})"
    flat, shape = _flat(tensor), _made_shape(tensor)
    if flat.numel() == 0:
        return laid(f"torch.empty({shape}, dtype={tensor.dtype})", tensor)
    if is_constant(flat):
        text = f"torch.full({shape}, {number(flat[0].item())}, dtype={tensor.dtype})"
        return laid(text, tensor)
    listed = _listed(flat)
    if listed is None:
        return None
    return laid(listed if len(shape) == 1 else f"{listed}.reshape({shape})", tensor)


def drawn(tensor: torch.Tensor) -> str:
    """Return an expression that draws floats like those of a tensor, with its mean and deviation.

    Floats of one sign keep it. Integers and booleans are drawn from the range of its values.
    """
    if _is_tiny(tensor.dtype):
        return f"({drawn(tensor.float())}).to({tensor.dtype})"
    flat, shape = _flat(tensor), _made_shape(tensor)
    seen = flat[:: max(1, flat.numel() // SAMPLE)]
    if tensor.dtype is torch.bool:
        return laid(f"torch.rand({shape}) < {float(seen.float().mean()):.6g}", tensor)
    if not tensor.dtype.is_floating_point and not tensor.dtype.is_complex:
        return laid(_random_integers(seen, shape, tensor.dtype), tensor)
    return laid(_random(seen, shape, tensor.dtype), tensor)


def is_constant(tensor: torch.Tensor) -> bool:
    """Return whether all numbers of a tensor are equal."""
    flat = _flat(tensor)
    few = flat[:NUMBERS]
    return bool((few == few[:1]).all()) and bool((flat == flat[:1]).all())


def laid(text: str, tensor: torch.Tensor) -> str:
    """Return an expression for the same numbers in the tensor's strides."""
    if tensor.is_contiguous() and _has_plain_strides(tensor):
        return text
    flat = text if not tensor.is_contiguous() else f"({text}).flatten()"
    return f"({flat}).as_strided({tuple(tensor.shape)}, {tensor.stride()})"


def number(value: Any) -> str:
    """Return a number as an expression."""
    if isinstance(value, float) and not math.isfinite(value):
        return "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"
    return repr(value)


def _random_integers(seen: torch.Tensor, shape: Sequence[int], dtype: torch.dtype) -> str:
    """Return an expression for integers of a range; a negative one that marks places is kept."""
    marks = seen[seen < 0]
    is_marked = 0 < marks.numel() < seen.numel() and bool((marks == marks[:1]).all())
    others = seen[seen >= 0] if is_marked else seen
    low, high = int(others.min()), int(others.max()) + 1
    text = f"torch.randint({low}, {high}, {shape}, dtype={dtype})"
    if not is_marked:
        return text
    share = float((seen < 0).double().mean())
    return f"{text}.masked_fill(torch.rand({shape}) < {share:.6g}, {int(marks[0])})"


def _random(seen: torch.Tensor, shape: Sequence[int], dtype: torch.dtype) -> str:
    kind = "" if dtype is torch.float32 else f", dtype={dtype}"
    if dtype.is_complex:
        return f"torch.randn({shape}{kind})"
    finite = seen.double()[seen.double().isfinite()]
    if not finite.numel():
        return f"torch.full({shape}, {number(seen[0].item())}{kind})"
    low, high = float(finite.min()), float(finite.max())
    mean, deviation = float(finite.mean()), float(finite.std(correction=0))
    is_near_zero = abs(mean) < FAR * deviation
    if (low >= 0 or high <= 0) and is_near_zero:
        return f"torch.rand({shape}{kind}) * {high - low:.6g} + {low:.6g}"
    return f"torch.randn({shape}{kind}) * {deviation:.6g} + {mean:.6g}"


def _listed(flat: torch.Tensor) -> str | None:
    """Return the numbers of a flat tensor one after the other, or in runs; None where that is long.

    A mask has few runs, whatever its size.
    """
    kind = f", dtype={flat.dtype}"
    if flat.numel() <= NUMBERS:
        return f"torch.tensor([{', '.join(map(number, flat.tolist()))}]{kind})"
    begun = flat[: 4 * NUMBERS]
    if flat.dtype.is_complex or 2 * int((begun[1:] != begun[:-1]).sum()) > NUMBERS:
        return None
    ends = (flat[1:] != flat[:-1]).nonzero()[:, 0] + 1
    if 2 * ends.numel() > NUMBERS:
        return None
    bounds = [0, *ends.tolist(), flat.numel()]
    values = ", ".join(number(flat[start].item()) for start in bounds[:-1])
    counts = ", ".join(str(end - start) for start, end in itertools.pairwise(bounds))
    size = f"output_size={flat.numel()}"
    return f"torch.tensor([{values}]{kind}).repeat_interleave(torch.tensor([{counts}]), {size})"


def _made_shape(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the shape that an expression makes before its strides are set."""
    return tuple(tensor.shape) if tensor.is_contiguous() else tuple(_flat(tensor).shape)


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers from the tensor's first to its last, in the order of memory."""
    seen = tensor.detach()
    if seen.is_contiguous():
        return seen.reshape(-1)
    span = 1 + sum((s - 1) * t for s, t in zip(seen.shape, seen.stride(), strict=True))
    return seen.as_strided((span,), (1,))


def _has_plain_strides(tensor: torch.Tensor) -> bool:
    """Return whether dimensions of size 1 have the strides of a new tensor, too."""
    return tensor.stride() == torch.empty(tensor.shape, device="meta").stride()


def _is_tiny(dtype: torch.dtype) -> bool:
    """Return whether torch neither draws nor compares numbers of this type."""
    return dtype.is_floating_point and dtype.itemsize == 1

"""Tensors of the audit's shortcuts and results, compared by the judge's own rule."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from kernelwright.schema import ToleranceName
from kernelwright.verifier.tolerance import compare
from kernelwright.verifier.worker.pieces import pieces
from kernelwright.verifier.worker.tensor_tree import TensorTree, same_bits

# Where so many of a result's values are refused already, the others need no look.
THIN = 2**15


def differ(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether any bit differs."""
    return not same_bits(TensorTree(None, [left]), TensorTree(None, [right]))


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the widest type of its kind."""
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def finite_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield a tensor's finite values, wide and flat, piece by piece."""
    for place in pieces(tensor.shape):
        values = wide(tensor[place])
        yield values[values.isfinite()]


def finite_count(tensor: torch.Tensor) -> int:
    """Return how many of a tensor's values are finite."""
    return sum(part.numel() for part in finite_parts(tensor))


def finite_mean(tensor: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor's finite values."""
    total = torch.stack([part.sum() for part in finite_parts(tensor)]).sum()
    return total / finite_count(tensor)


def close(
    own: torch.Tensor, value: torch.Tensor, golden: torch.Tensor | None, tolerance: ToleranceName
) -> bool:
    """Whether `own` would be accepted for `value`."""
    if value.numel() > 2 * THIN:
        thin = None if golden is None else thinned(golden)
        if compare(thinned(own), thinned(value), thin, tolerance).reason is not None:
            return False
    return compare(own, value, golden, tolerance).reason is None


def thinned(tensor: torch.Tensor) -> torch.Tensor:
    """Return about THIN of a tensor's values."""
    # An odd step does not stay in one column of a matrix.
    return tensor.reshape(-1)[:: tensor.numel() // THIN | 1]


def spread(tensor: torch.Tensor) -> tuple[float, float]:
    """Return the magnitude of the mean, and the root mean square of what differs from it."""
    mean = finite_mean(tensor)
    squares = sum(float((part - mean).abs().square().sum()) for part in finite_parts(tensor))
    return float(mean.abs()), math.sqrt(squares / finite_count(tensor))

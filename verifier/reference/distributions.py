"""The input distributions: changes that the judge makes to the reference's own inputs.

Integer and boolean tensors are never touched: they are indices, labels or packed data. A single
number (a strength, an epsilon) keeps its size and moves by some tenths of it, be it a tensor or a
Python float. Python integers, booleans and strings stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from kernelwright.verifier.levels import Distribution
from kernelwright.verifier.worker.pieces import pieces
from kernelwright.verifier.worker.tensor_tree import TensorTree

LARGE, TINY = 32.0, 2.0**-10
# Far beyond the point where exp overflows in float32 (88), but sums of squares do not overflow.
EXTREME = 1e4
EXTREME_HALF = 200.0  # float16 ends at 65504, and sums of products come near it
# A parameter moves by this share of its root mean square, which counts as 0.5 for all zeros.
PERTURB_BY, PERTURB_ZEROS_BY = 0.1, 0.5
Transform = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
# Values may tie in these, and either of two equal ones may come first.
WITH_TIES: tuple[Distribution, ...] = ("normal", "uniform", "zeros", "constant_rows")
# Tensors of one number are perturbed in these.
REDRAWN: tuple[Distribution, ...] = ("normal", "uniform")
# Python floats move in these, and in every second case of the reference's own distribution. The
# others keep the numbers that are timed: code made for these is to be tried on all kinds of values.
NUMBERS_MOVE: tuple[Distribution, ...] = ("zero_mean", *REDRAWN, "tiny")
# Shares of its size by which a Python float moves.
LEAST_MOVE, LARGEST_MOVE = 0.1, 0.4
# Degenerate on purpose, to find overflow, division by zero and shortcuts. There the reference's own
# rounding error says nothing about that of another order of operations.
COARSE: tuple[Distribution, ...] = ("zeros", "constant_rows", "extreme")


def suits(distribution: Distribution, integer_results: bool) -> bool:
    """Return whether inputs of this distribution determine the results; ties may not."""
    return not (integer_results and distribution in WITH_TIES)


def distribute(values: TensorTree, distribution: Distribution, seed: int) -> TensorTree:
    """Return the inputs with their floating tensors moved to another distribution."""
    if distribution == "reference":
        return values
    generator = torch.Generator().manual_seed(seed)
    transform = TRANSFORMS[distribution]

    def distributed(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.numel() < 2:
            return perturbed(tensor, generator) if distribution in REDRAWN else tensor
        if not tensor.is_floating_point():
            return tensor
        wide = tensor.float() if tensor.dtype.itemsize == 1 else tensor
        return transform(wide, generator).to(tensor.dtype)

    return values.mapped(distributed)


def moves_numbers(distribution: Distribution, seed: int) -> bool:
    """Return whether Python floats move in the case of this seed and distribution."""
    return distribution in NUMBERS_MOVE or (distribution == "reference" and seed % 2 == 1)


def moves_of(number: float) -> tuple[float, float]:
    """Return the ends of what `with_moved_numbers` makes of a number."""
    up = 1 + LARGEST_MOVE if abs(number) > 1 else 1.0
    return number * (1 - LARGEST_MOVE), number * up


def with_moved_numbers(values: TensorTree, seed: int) -> TensorTree:
    """Return the inputs with every Python float moved by some tenths of its size.

    One within [-1, 1] moves towards zero, so that a probability stays one. Zero stays, since it
    often turns something off, and so does what is not finite.
    """
    generator = torch.Generator().manual_seed(seed)

    def moved(number: float) -> float:
        share, sign = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        by = LEAST_MOVE + (LARGEST_MOVE - LEAST_MOVE) * share
        is_up = abs(number) > 1 and sign < 0.5
        return number * (1 + by if is_up else 1 - by) if math.isfinite(number) else number

    return values.with_numbers(moved)


def perturbed(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a floating tensor with noise of some tenths of its size; others unchanged."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return tensor
    squares = sum(float(tensor[place].double().square().sum()) for place in pieces(tensor.shape))
    size = math.sqrt(squares / tensor.numel()) or PERTURB_ZEROS_BY
    noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    noise.mul_(PERTURB_BY * size)
    for place in pieces(tensor.shape):
        noise[place].add_(tensor[place].double())
    return noise.to(tensor.dtype)


def _zero_mean(tensor: torch.Tensor, _generator: torch.Generator) -> torch.Tensor:
    return tensor - tensor.double().mean()


def _normal(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.empty_like(tensor).normal_(generator=generator)


def _uniform(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.empty_like(tensor).uniform_(generator=generator)


def _constant_rows(tensor: torch.Tensor, _generator: torch.Generator) -> torch.Tensor:
    return tensor[..., :1].expand(tensor.shape)


def _extreme(tensor: torch.Tensor, _generator: torch.Generator) -> torch.Tensor:
    largest = float(tensor.abs().max().float()) or 1.0
    wanted = EXTREME_HALF if tensor.dtype == torch.float16 else EXTREME
    return tensor * (wanted / largest)


TRANSFORMS: dict[Distribution, Transform] = {
    "zero_mean": _zero_mean,
    "normal": _normal,
    "uniform": _uniform,
    "large": lambda tensor, _: tensor * LARGE,
    "tiny": lambda tensor, _: tensor * TINY,
    "zeros": lambda tensor, _: torch.zeros_like(tensor),
    "constant_rows": _constant_rows,
    "extreme": _extreme,
}

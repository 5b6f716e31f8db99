"""Input distributions: what the judge does to the reference's own inputs before it sends them.

Integer and boolean tensors are never touched: they are indices, labels or packed data.
"""

from __future__ import annotations

import torch

from kernelwright.verifier.levels import Distribution
from kernelwright.verifier.remote import Values

LARGE, TINY = 32.0, 2.0**-10


def distribute(values: Values, distribution: Distribution, seed: int) -> Values:
    """The same inputs with their floating tensors moved to another distribution."""
    generator = torch.Generator().manual_seed(seed)
    return values.mapped(lambda tensor: _moved(tensor, distribution, generator))


def _moved(
    tensor: torch.Tensor, distribution: Distribution, generator: torch.Generator
) -> torch.Tensor:
    if distribution == "reference" or not tensor.is_floating_point() or tensor.numel() < 2:
        return tensor
    if distribution == "zero_mean":
        return (tensor - tensor.double().mean()).to(tensor.dtype)
    if distribution == "normal":
        drawn = torch.empty_like(tensor)
        return drawn.normal_(generator=generator)
    return tensor * (LARGE if distribution == "large" else TINY)

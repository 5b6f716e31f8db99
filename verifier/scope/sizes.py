"""The sizes at which a candidate is judged beside the workload's own, and inputs of such sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from kernelwright.verifier.inside.worker import describe
from kernelwright.verifier.worker.tensor_tree import TensorTree

SizeNames = Sequence[Sequence[str | None]]
"""Each input tensor's sizes: a name where the size may change, else None."""
LEAST_SIZES = 3
# No inputs of more elements than this are made beside the workload's own.
MOST_ELEMENTS = 2**24


def example_sizes(inputs: TensorTree, names: SizeNames) -> dict[str, int]:
    """Return the workload's own number of each named size."""
    return {
        name: size
        for tensor, own in zip(inputs.tensors, names, strict=True)
        for name, size in zip(own, tensor.shape, strict=True)
        if name is not None
    }


def smaller(own: int, least: int) -> list[int]:
    """Return the sizes to judge below the workload's own, the nearest first."""
    half = own // 2
    wanted = {own - 1, half + half % 2 - 1, 3, 2, 1}
    return sorted((n for n in wanted if least <= n < own), reverse=True)


def larger(own: int, most: float) -> list[int]:
    """Return the sizes to judge above the workload's own, the nearest first."""
    return sorted(n for n in {own + 1, own + own // 2 + 1, 2 * own, 4 * own} if own < n <= most)


def resized(
    inputs: TensorTree, names: SizeNames, sizes: Mapping[str, int], seed: int
) -> TensorTree:
    """Return inputs with other sizes; elements, or rows of integers, are drawn from the given."""
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for tensor, own in zip(inputs.tensors, names, strict=True):
        shape = [
            sizes.get(name, size) if name is not None else size
            for name, size in zip(own, tensor.shape, strict=True)
        ]
        if not tensor.is_floating_point():
            # Rows and columns of indices stay together: each may have a range of its own.
            for dim, size in enumerate(shape):
                if size != tensor.shape[dim]:
                    rows = torch.randint(max(tensor.shape[dim], 1), (size,), generator=generator)
                    tensor = tensor.index_select(dim, rows)
            tensors.append(tensor)
            continue
        picked = torch.randint(max(tensor.numel(), 1), (math.prod(shape),), generator=generator)
        order: list[int] = describe(tensor)["order"]
        dense = tensor.reshape(-1)[picked].reshape([shape[dim] for dim in order])
        tensors.append(dense.permute([order.index(dim) for dim in range(len(order))]))
    return TensorTree(inputs.tree, tensors)


def elements(inputs: TensorTree, names: SizeNames, sizes: Mapping[str, int]) -> int:
    """Return how many elements the largest input has at other sizes."""
    shapes = (
        [sizes.get(name or "", size) for name, size in zip(own, tensor.shape, strict=True)]
        for tensor, own in zip(inputs.tensors, names, strict=True)
    )
    return max(map(math.prod, shapes), default=0)

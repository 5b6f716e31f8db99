"""Nests of Python values and tensors, as they are sent, received and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from kernelwright.verifier.inside.worker import Tensors, Tree, pack, unpack
from kernelwright.verifier.worker.faults import nonsense
from kernelwright.verifier.worker.frames import Spec
from kernelwright.verifier.worker.pieces import pieces

# Integers of so many bytes.
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class TensorTree(NamedTuple):
    """A nest of Python values and its tensors, as sent or received."""

    tree: Any
    tensors: Tensors

    def unpacked(self) -> Any:
        """Return the nest itself. Raises WorkerFault if a worker sent a malformed one."""
        try:
            return unpack(self.tree, self.tensors)
        except (ValueError, RecursionError) as error:
            raise nonsense("a malformed value") from error

    def mapped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> TensorTree:
        """Return the same nest with every tensor replaced by the function's result."""
        return TensorTree(self.tree, [function(tensor) for tensor in self.tensors])

    def with_numbers(self, function: Callable[[float], float]) -> TensorTree:
        """Return the same nest with every Python float replaced by the function's result."""
        return TensorTree(_with_numbers(self.tree, function), self.tensors)

    @property
    def has_numbers(self) -> bool:
        """Whether one of the Python values is a float."""
        return _has_numbers(self.tree)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)


def _with_numbers(tree: Tree, function: Callable[[float], float]) -> Tree:
    ((kind, item),) = tree.items()
    if kind == "v":
        return {"v": function(item) if type(item) is float else item}
    if kind in ("l", "u"):
        return {kind: [_with_numbers(part, function) for part in item]}
    if kind == "d":
        return {"d": {key: _with_numbers(part, function) for key, part in item.items()}}
    return tree


def _has_numbers(tree: Tree) -> bool:
    ((kind, item),) = tree.items()
    if kind in ("l", "u"):
        return any(map(_has_numbers, item))
    if kind == "d":
        return any(map(_has_numbers, item.values()))
    return kind == "v" and type(item) is float


def specs(values: TensorTree) -> list[Spec]:
    """Return dtype and shape of every tensor."""
    return [Spec(tensor.dtype, tuple(tensor.shape)) for tensor in values.tensors]


def packed(value: Any) -> TensorTree:
    """Return a nest of Python values and tensors as a `TensorTree`."""
    tensors: Tensors = []
    return TensorTree(pack(value, tensors), tensors)


def same_tree(left: TensorTree, right: TensorTree) -> bool:
    """Return whether two nests are equal apart from tensors; 1, 1.0 and True differ here."""
    return json.dumps(left.tree) == json.dumps(right.tree)


def same_bits(left: TensorTree, right: TensorTree) -> bool:
    """Return whether two nests are equal, their tensors bit by bit."""
    if not same_tree(left, right) or specs(left) != specs(right):
        return False
    return all(map(_same_bits, left.tensors, right.tensors))


def _same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    bits = INTEGERS[min(left.dtype.itemsize, 8)]
    for place in pieces(left.shape):
        flat = (t[place].contiguous().flatten().view(bits) for t in (left, right))
        if not torch.equal(*flat):
            return False
    return True


def is_finite(values: TensorTree) -> bool:
    """Return whether no tensor holds a NaN or an infinity."""
    wide = (t.float() if t.dtype.itemsize == 1 else t for t in values.tensors)  # float8 has no test
    return all(bool(tensor.isfinite().all()) for tensor in wide)

"""Input sets in memory shared with a worker, between guard zones.

Every tensor lies between zones of GUARD bytes of 0xff: NaN for floating types, -1 for integers. So
a read past the end of an input gives wrong values, and a write there leaves a trace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from kernelwright.errors import InfrastructureError
from kernelwright.verifier.inside.worker import Tree, describe, placed
from kernelwright.verifier.worker.hugepages import pooled_buffer
from kernelwright.verifier.worker.tensor_tree import TensorTree

GUARD = 1024
# As in torch's own allocator; GUARD alone would put all tensors at one offset within a page.
ALIGNMENT = 64
GUARD_BYTE = 0xFF
# Bytes that are compared at a time, so that both sides stay in the cache.
PIECE_BYTES = 2**20


class Layout(NamedTuple):
    """The layout of some input sets of one form in shared memory."""

    tree: Tree
    entries: list[dict[str, object]]
    """The dtype, shape and order of each tensor of a set."""
    offsets: list[list[int]]
    """Offset of each tensor in bytes, by slot."""
    nbytes: int

    @property
    def slots(self) -> int:
        """Number of sets that there is room for."""
        return len(self.offsets)


def plan_layout(like: TensorTree, slots: int) -> Layout:
    """Return a layout with room for `slots` sets of the form of `like`."""
    offsets, end = [], GUARD
    for _ in range(slots):
        row = []
        for tensor in like.tensors:
            row.append(end)
            end = _aligned(end + tensor.numel() * tensor.element_size()) + GUARD
        offsets.append(row)
    return Layout(like.tree, [describe(tensor) for tensor in like.tensors], offsets, end)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def raw_view(flat: torch.Tensor) -> memoryview:
    """Return a view of the bytes of a flat uint8 tensor."""
    return memoryview(flat.numpy())  # type: ignore[arg-type]


class Mask(NamedTuple):
    """A buffer masked by a seed, as a GPU's worker gets it before the clock starts."""

    seed: int
    buffer: InputBuffer


class InputBuffer:
    """The judge's copy of a worker's shared memory: guard zones, and input sets."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.bytes = pooled_buffer(layout.nbytes)
        self.mask: Mask | None = None
        self.sets = [self._views(offsets) for offsets in layout.offsets]
        self.guard()

    def guard(self) -> None:
        """Fill all bytes outside of the tensors with GUARD_BYTE."""
        memory, end = self.bytes.numpy(), 0
        for offsets, values in zip(self.layout.offsets, self.sets, strict=True):
            for offset, tensor in zip(offsets, values.tensors, strict=True):
                memory[end:offset] = GUARD_BYTE
                end = offset + tensor.numel() * tensor.element_size()
        memory[end:] = GUARD_BYTE

    def _views(self, offsets: list[int]) -> TensorTree:
        tensors = [
            placed(self.bytes, entry, offset)
            for entry, offset in zip(self.layout.entries, offsets, strict=True)
        ]
        return TensorTree(self.layout.tree, tensors)

    def put(self, slot: int, values: TensorTree) -> None:
        """Copy a set into a slot. Raises ValueError for a set of another form."""
        targets = self.sets[slot].tensors
        if values.tree != self.layout.tree or len(values.tensors) != len(targets):
            raise ValueError("an input set of another form")
        for target, tensor in zip(targets, values.tensors, strict=True):
            if (target.shape, target.dtype) != (tensor.shape, tensor.dtype):
                raise ValueError("an input tensor of another form")
            target.copy_(tensor)

    def end(self, slots: int) -> int:
        """Return the number of bytes up to the end of the guard zone behind so many slots."""
        if slots >= self.layout.slots:
            return self.layout.nbytes
        first = self.layout.offsets[slots]
        return first[0] if first else self.layout.nbytes

    def write(self, descriptor: int, slots: int | None = None) -> None:
        """Write the first `slots` sets (all by default) to the shared memory."""
        end = self.end(self.layout.slots if slots is None else slots)
        _write(descriptor, raw_view(self.bytes)[:end], 0)

    def read(self, descriptor: int, end: int | None = None) -> None:
        """Read the shared memory up to byte `end` into this buffer."""
        _read(descriptor, raw_view(self.bytes)[:end], 0)

    def write_inverted(self, descriptor: int, slots: int) -> None:
        """Write the bitwise complement of the first `slots` sets to the shared memory."""
        for start, piece in self._pieces(self.end(slots)):
            _write(descriptor, raw_view(torch.bitwise_not(piece)), start)

    def is_in(self, descriptor: int, end: int, start: int = 0) -> bool:
        """Return whether the shared memory equals this buffer from byte `start` to `end`."""
        found = torch.empty(PIECE_BYTES, dtype=torch.uint8)
        for place, piece in self._pieces(end, start):
            _read(descriptor, raw_view(found)[: len(piece)], place)
            if not torch.equal(piece, found[: len(piece)]):
                return False
        return True

    def _pieces(self, end: int, start: int = 0) -> Iterator[tuple[int, torch.Tensor]]:
        for place in range(start, end, PIECE_BYTES):
            yield place, self.bytes[place : min(end, place + PIECE_BYTES)]


def _write(descriptor: int, view: memoryview, start: int) -> None:
    done = 0
    while done < len(view):
        try:
            done += os.pwrite(descriptor, view[done:], start + done)
        except OSError as error:
            message = f"cannot write inputs to shared memory: {error.strerror}"
            raise InfrastructureError(message) from error


def _read(descriptor: int, view: memoryview, start: int) -> None:
    done = 0
    while done < len(view):
        count = os.preadv(descriptor, [view[done:]], start + done)
        if count == 0:
            raise InfrastructureError("the shared memory is shorter than it was made")
        done += count


class Overwrites(NamedTuple):
    """Changes that a worker made to its shared memory."""

    guard: bool
    """The worker wrote outside of its inputs."""
    inputs: tuple[int, ...]
    """Slots of the inputs that the worker changed."""


def overwrites(buffer: InputBuffer, descriptor: int, slots: Sequence[int]) -> Overwrites:
    """Compare the shared memory with what was written for the first `len(slots)` slots."""
    end = buffer.end(len(slots))
    if buffer.is_in(descriptor, end):
        return Overwrites(False, ())
    changed, guard, last = set(), False, 0
    for slot in range(len(slots)):
        places = zip(buffer.layout.offsets[slot], buffer.sets[slot].tensors, strict=True)
        for offset, tensor in places:
            guard = guard or not buffer.is_in(descriptor, offset, last)
            last = offset + tensor.numel() * tensor.element_size()
            if not buffer.is_in(descriptor, last, offset):
                changed.add(slot)
    guard = guard or not buffer.is_in(descriptor, end, last)
    return Overwrites(guard, tuple(slot for slot in slots if slot in changed))

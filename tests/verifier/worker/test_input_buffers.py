"""Tests of inputs in shared memory: every form survives, and a worker's writes are noticed."""

from __future__ import annotations

import os

import pytest
import torch

from kernelwright.sandbox.linux_worker import shared_memory
from kernelwright.verifier.worker.input_buffers import (
    GUARD,
    GUARD_BYTE,
    InputBuffer,
    overwrites,
    plan_layout,
)
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed, same_bits

FORMS = [
    torch.randn(3, 5),
    torch.randn(4, 6).T,
    torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    torch.arange(7),
    torch.tensor(1.5),
    torch.empty(0, 4),
    torch.rand(9) > 0.5,
    torch.randn(5).bfloat16(),
    torch.randn(5).to(torch.float8_e4m3fn),
    torch.randn(3, dtype=torch.complex64),
]


def image_of(*sets: TensorTree) -> InputBuffer:
    buffer = InputBuffer(plan_layout(sets[0], len(sets)))
    for slot, values in enumerate(sets):
        buffer.put(slot, values)
    return buffer


@pytest.mark.parametrize("tensor", FORMS, ids=lambda t: f"{t.dtype}-{tuple(t.shape)}")
def test_a_tensor_of_any_form_is_the_same_in_memory(tensor: torch.Tensor) -> None:
    values = packed([tensor, 3, {"more": tensor}])
    buffer = image_of(values, values)
    descriptor = shared_memory(buffer.layout.nbytes)
    buffer.write(descriptor)
    after = InputBuffer(buffer.layout)
    after.read(descriptor)
    assert all(same_bits(kept, values) for kept in after.sets)
    assert after.sets[1].tensors[0].stride() == tensor.stride()
    assert overwrites(buffer, descriptor, [0, 1]) == (False, ())
    os.close(descriptor)


def test_every_tensor_lies_between_guard_zones() -> None:
    buffer = image_of(packed([torch.zeros(3), torch.zeros(100)]))
    for offset, tensor in zip(buffer.layout.offsets[0], buffer.sets[0].tensors, strict=True):
        end = offset + tensor.numel() * 4
        for zone in (buffer.bytes[offset - GUARD : offset], buffer.bytes[end : end + GUARD]):
            assert bool((zone == GUARD_BYTE).all())
    assert torch.full((4,), GUARD_BYTE, dtype=torch.uint8).view(torch.float32).isnan()


def test_a_write_is_seen_and_told_from_one_outside() -> None:
    values = packed([torch.zeros(10), torch.zeros(10)])
    buffer = image_of(values, values, values)
    first, second = buffer.layout.offsets[1]
    for place, found in (
        (first, (False, (1,))),
        (second + 39, (False, (1,))),
        (second + 40, (True, ())),
        (first - 1, (True, ())),
    ):
        descriptor = shared_memory(buffer.layout.nbytes)
        buffer.write(descriptor)
        os.pwrite(descriptor, bytes([buffer.bytes[place] + 1 & 0xFF]), place)
        assert overwrites(buffer, descriptor, [0, 1, 2]) == found
        whole = (False, ()) if place != first - 1 else (True, ())
        assert overwrites(buffer, descriptor, [0]) == whole
        os.close(descriptor)


def test_only_what_was_asked_for_is_written() -> None:
    values = packed([torch.ones(1000)])
    buffer = image_of(values, values)
    descriptor = shared_memory(buffer.layout.nbytes)
    buffer.write(descriptor, 1)
    after = InputBuffer(buffer.layout)
    after.read(descriptor)
    os.close(descriptor)
    assert same_bits(after.sets[0], values)
    assert not after.sets[1].tensors[0].any()


def test_sets_of_another_form_are_refused() -> None:
    buffer = image_of(packed([torch.zeros(3)]))
    for other in ([torch.zeros(4)], [torch.zeros(3, dtype=torch.int32)], [torch.zeros(3), 1], []):
        with pytest.raises(ValueError, match="another form"):
            buffer.put(0, packed(other))


def test_the_size_of_the_memory_cannot_be_changed() -> None:
    descriptor = shared_memory(8192)
    for size in (0, 2**20):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    os.close(descriptor)

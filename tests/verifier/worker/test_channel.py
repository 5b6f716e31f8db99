"""Tests that values survive the channel: nests, dtypes, layouts."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.verifier.inside.worker import (
    Tensors,
    _receive_frame,
    copy_into,
    pack,
    send_frame,
    unpack,
)
from kernelwright.verifier.worker.tensor_tree import packed

DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8,
    torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64,
)  # fmt: skip


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Draw dense, transposed, strided, expanded, 0-dim and empty tensors of any dtype."""
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 99))
    drawn = torch.randn([2 * size for size in shape], generator=torch.Generator().manual_seed(seed))
    value = (10 * drawn).to(dtype)[tuple(slice(None, None, 2) for _ in shape)]
    value = value.permute(draw(st.permutations(range(len(shape)))))
    if draw(st.booleans()) and value.dim() and value.shape[0]:
        value = value[:1].expand(3, *value.shape[1:])
    return value.conj() if dtype.is_complex and draw(st.booleans()) else value


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
leaves = scalars | tensors() | st.sampled_from(DTYPES)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and left.shape == right.shape and torch.equal(left, right)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right)) and type(left) is type(right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


@settings(max_examples=60, deadline=None)
@given(values)
def test_any_nest_crosses_a_socket(value: Any) -> None:
    held: Tensors = []
    tree = pack(value, held)
    near, far = socket.socketpair()
    with near, far:
        writer = threading.Thread(target=send_frame, args=(near, {"value": tree}, held))
        writer.start()
        header, received = _receive_frame(far)
        writer.join()
    assert same(unpack(header["value"], received), value)
    assert json.loads(json.dumps(header)) == header


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(24).view(2, 3, 4).permute(2, 0, 1),
        torch.randn(2, 5, 4, 4).to(memory_format=torch.channels_last),
        torch.tensor([1 + 2j, 3 - 1j]).conj().imag,
    ],
)
def test_layouts_survive(value: torch.Tensor) -> None:
    near, far = socket.socketpair()
    with near, far:
        send_frame(near, {}, packed(value).tensors)
        received = _receive_frame(far)[1][0]
    assert torch.equal(received, value)
    if value.is_contiguous(memory_format=torch.preserve_format) or value.dim() > 1:
        assert received.stride() == value.clone().stride()


def test_torch_sizes_and_named_results_are_tuples() -> None:
    values = torch.topk(torch.arange(5.0), 2)
    held: Tensors = []
    assert same(unpack(pack(values, held), held), tuple(values))
    assert unpack(pack(torch.Size([2, 3]), []), []) == (2, 3)


@pytest.mark.parametrize("value", [object(), {1, 2}, {1: 2}, 1j, b"bytes", [torch.nn.ReLU()]])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        pack(value, [])


MALFORMED: list[Any] = [
    None, 3, [], {}, {"t": 0}, {"t": True}, {"t": "0"}, {"v": []}, {"v": {}}, {"l": 1}, {"u": {}},
    {"d": []}, {"x": 1}, {"v": 1, "l": []}, {"dtype": "nn"}, {"dtype": "__name__"}, {"dtype": 3},
    {"l": [{"t": -1}]},
]  # fmt: skip


@pytest.mark.parametrize("tree", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_trees_are_refused(tree: Any) -> None:
    with pytest.raises(ValueError, match="malformed value"):
        unpack(tree, [])


def test_inputs_are_refilled_in_place_only_where_they_fit() -> None:
    old: list[Any] = [torch.zeros(2, 3), (torch.ones(1), 5)]
    copy_into(old, [torch.full((2, 3), 7.0), (torch.zeros(1), 5)])
    assert old[0].sum() == 42
    assert old[1][0] == 0
    for other in ([torch.zeros(3, 2), old[1]], [old[0].double(), old[1]], [old[0]], None,
                  [old[0], (torch.zeros(1), 6)]):  # fmt: skip
        with pytest.raises(ValueError, match="at every call"):
            copy_into(old, other)
    with pytest.raises(ValueError, match="at every call"):
        copy_into([torch.zeros(3, 2)], [torch.zeros(2, 3).T])

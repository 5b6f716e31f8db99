"""Readers of a worker's words take any JSON, and raise nothing but a WorkerFault."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.schema import Status
from kernelwright.verifier.inside.worker import allocate
from kernelwright.verifier.worker.faults import WorkerFault
from kernelwright.verifier.worker.frames import (
    DTYPES,
    Spec,
    _tensor_bytes,
    check_expected,
    parsed_header,
)
from kernelwright.verifier.worker.outputs import (
    RunReply,
    checked_run,
    overlapping,
    overlaps_itself,
    read_result,
)
from kernelwright.verifier.worker.tensor_tree import TensorTree

SMALL = 2**16
numbers = st.integers(-2, 5) | st.sampled_from([2**31, 2**47, 2**48, 2**63, 10**30]) | st.booleans()
scalars = st.none() | numbers | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
sizes = st.lists(numbers, max_size=4) | anything
names = st.sampled_from([*DTYPES, "qint8", "quint4x2", "float", "nn", "__name__"]) | anything
flags = st.booleans() | anything
descriptions = st.fixed_dictionaries(
    {"dtype": names, "shape": sizes, "order": st.permutations([0, 1]) | sizes}
)
entries = st.fixed_dictionaries(
    {
        "dtype": names, "shape": sizes, "strides": sizes,
        "device": st.sampled_from(["cpu", "cuda"]) | anything, "conj": flags, "neg": flags,
    }
)  # fmt: skip
small = st.integers(0, 3)
PLAIN = {
    "dtype": "float32", "shape": [2], "strides": [1], "device": "cpu", "conj": False, "neg": False,
}  # fmt: skip


@st.composite
def whole_entries(draw: st.DrawFn) -> dict[str, Any]:
    """Draw entries in the right form: what they say may still make no sense."""
    shape = draw(st.lists(small | st.sampled_from([2**47]), max_size=3))
    strides = [draw(small | st.sampled_from([2**30, 2**47])) for _ in shape]
    flipped = {"conj": draw(st.booleans()), "neg": draw(st.booleans())}
    return {**PLAIN, "dtype": draw(st.sampled_from(list(DTYPES))), "shape": shape,
            "strides": strides, **flipped}  # fmt: skip


replies = st.fixed_dictionaries(
    {
        "ns": small | anything,
        "entries": st.lists(entries | whole_entries(), max_size=2) | anything,
        "at": st.lists(st.lists(numbers, max_size=2), max_size=2) | anything,
        "value": st.just({"t": 0}) | anything,
    }
)


@settings(max_examples=300, deadline=None)
@given(descriptions | anything)
def test_a_description_is_bytes_or_a_fault(entry: Any) -> None:
    try:
        count = _tensor_bytes(entry)
    except WorkerFault as fault:
        assert fault.status is Status.RUNTIME_ERROR
        return
    assert 0 <= count < 2**63
    if count <= SMALL:
        tensor = allocate(entry)
        assert tensor.numel() * tensor.element_size() == count


@settings(max_examples=300, deadline=None)
@given(replies | anything.filter(lambda value: isinstance(value, dict)), small)
def test_a_run_is_checked_or_a_fault(reply: dict[str, Any], calls: int) -> None:
    try:
        ran = checked_run(reply, calls, 1.0)
    except WorkerFault as fault:
        assert fault.status is Status.RUNTIME_ERROR
        return
    use(ran, calls)


@settings(max_examples=300, deadline=None)
@given(st.lists(whole_entries(), min_size=1, max_size=2), st.sampled_from([0, 8, 2**47, 2**63 - 1]))
def test_a_checked_run_can_be_used(told: list[dict[str, Any]], address: int) -> None:
    held = torch.zeros(64)
    rows = [[held.data_ptr()] * len(told), [address] * len(told)]
    reply = {"ns": 1, "value": {"t": 0}, "entries": told, "at": rows}
    try:
        ran = checked_run(reply, 2, 1.0)
    except WorkerFault:
        return
    use(ran, 2)


def use(ran: RunReply, calls: int) -> None:
    """Do all that the judge does with a run."""
    overlapping(ran)
    list(map(overlaps_itself, ran.entries))
    for call in range(calls):
        try:
            check_expected(ran.entries, [Spec(torch.float32, (2,))] * len(ran.entries))
        except WorkerFault:
            pass
        try:
            read = read_result(os.getpid(), ran, call)
        except WorkerFault:
            continue
        if read is not None:
            assert [list(tensor.shape) for tensor in read.tensors] == [
                entry["shape"] for entry in ran.entries
            ]


@settings(max_examples=300, deadline=None)
@given(anything)
def test_a_nest_is_a_value_or_a_fault(tree: Any) -> None:
    try:
        TensorTree(tree, [torch.zeros(1)]).unpacked()
    except WorkerFault as fault:
        assert fault.reason == "the worker sent a malformed value"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | anything.map(lambda value: json.dumps(value).encode()))
def test_a_header_is_an_answer_or_a_fault(text: bytes) -> None:
    try:
        header = parsed_header(bytearray(text), "run")
    except WorkerFault:
        return
    assert header["op"] == "run"


@pytest.mark.parametrize(
    ("entry", "calls"),
    [
        ({**PLAIN, "dtype": "bool", "neg": True}, 1),
        ({**PLAIN, "dtype": "qint8"}, 1),
        ({**PLAIN, "shape": [0, 2**47, 2**47], "strides": [1, 1, 1]}, 1),
        ({**PLAIN, "device": "c" * 21}, 1),
    ],
)
def test_entries_that_torch_has_no_tensor_for_are_nonsense(
    entry: dict[str, Any], calls: int
) -> None:
    reply = {"ns": 1, "value": {"t": 0}, "entries": [entry], "at": [[8]] * calls}
    with pytest.raises(WorkerFault, match="a malformed description of a result"):
        checked_run(reply, calls, 1.0)


@pytest.mark.parametrize("tree", [{"t": False}, {"t": 0.0}, {"t": 1}, None, {"l": 3}])
def test_the_result_of_a_run_is_a_nest_of_its_tensors(tree: Any) -> None:
    with pytest.raises(WorkerFault, match="a malformed value"):
        checked_run({"ns": 1, "value": tree, "entries": [PLAIN], "at": [[8]]}, 1, 1.0)


def test_a_result_larger_than_memory_is_a_fault() -> None:
    entry = {**PLAIN, "shape": [2**40], "strides": [63]}
    ran = checked_run({"ns": 1, "value": {"t": 0}, "entries": [entry], "at": [[8]]}, 1, 1.0)
    with pytest.raises(WorkerFault, match="no memory to read output 0 into") as caught:
        read_result(os.getpid(), ran, 0)
    assert caught.value.status is Status.OUT_OF_MEMORY


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(WorkerFault, match="not JSON"):
        parsed_header(bytearray(b'{"op": "run", "x": "\\ud800"}'), "run")
    assert (
        parsed_header(bytearray(b'{"op": "run", "x": "\\ud83d\\ude00"}'), "run")["x"]
        == "\U0001f600"
    )

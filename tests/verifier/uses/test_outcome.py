"""Tests of the comparison of one use: what is wrong, and what an honest candidate may do."""

from __future__ import annotations

import torch

from kernelwright.verifier.uses.expected import ExpectedUse
from kernelwright.verifier.uses.outcome import wrong_form, wrong_values
from kernelwright.verifier.worker.outputs import RunReply, UseReply
from kernelwright.verifier.worker.tensor_tree import TensorTree, packed

VALUES = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))


def expected(*values: object, golden: object = None) -> ExpectedUse:
    return ExpectedUse(
        None, packed(list(values)), packed([golden]) if golden is not None else None, []
    )


def reply(*values: object) -> UseReply:
    """Return a worker's reply with these results."""
    tree = packed(list(values))
    entries = [
        {"dtype": str(t.dtype)[6:], "shape": list(t.shape), "strides": list(t.stride())}
        for t in tree.tensors
    ]
    return UseReply(RunReply(0.0, 0.0, tree.tree, entries, [[]]), None, False, None, [])


def test_the_form_is_compared() -> None:
    assert wrong_form(reply(VALUES), expected(VALUES), False) is None
    assert "shape [64] instead" in str(wrong_form(reply(VALUES[0]), expected(VALUES), False))
    assert "nested" in str(wrong_form(reply(VALUES, None), expected(VALUES), False))
    assert "nested" in str(wrong_form(reply(None), expected(VALUES), False))
    assert wrong_form(reply(0.1 + 0.2), expected(0.3), False) is None
    assert wrong_form(reply(0.4), expected(0.3), False) is not None
    assert wrong_form(reply(True), expected(1), False) is not None


def test_under_autocast_more_bits_are_no_fault() -> None:
    half = VALUES.bfloat16()
    assert wrong_form(reply(VALUES), expected(half), True) is None
    assert "float32 instead of bfloat16" in str(wrong_form(reply(VALUES), expected(half), False))
    assert wrong_values(packed([VALUES]), expected(half), "default", True) is None


def wrong(own: torch.Tensor, value: torch.Tensor, lossy: bool = False) -> str | None:
    return wrong_values(packed([own]), expected(value, golden=value.double()), "default", lossy)


def test_rounding_is_right_and_another_value_is_wrong() -> None:
    assert wrong(VALUES * (1 + 1e-6), VALUES) is None
    assert str(wrong(VALUES * 3, VALUES)).startswith("off by ")
    one = VALUES.clone()
    one[3, 5] += 1
    assert "off by 1 rms" in str(wrong(one, VALUES)) or "off by 0.9" in str(wrong(one, VALUES))


def test_low_precision_is_wrong_by_gross_errors_only() -> None:
    half = VALUES.half()
    assert wrong(half * 1.05, half, lossy=True) is None
    assert wrong(half * 2, half, lossy=True) is not None


def test_places_where_the_reference_is_not_finite_say_nothing() -> None:
    infinite = VALUES.clone()
    infinite[0] = torch.inf
    assert wrong(VALUES, infinite) is None
    assert "not finite" in str(wrong(infinite, VALUES))


def test_few_integers_may_differ_where_numbers_tie_but_no_flag() -> None:
    indices = torch.arange(4096)
    swapped = indices.clone()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert wrong(swapped, indices) is None
    assert "4096 of 4096 differ" in str(wrong(indices + 1, indices))
    assert wrong(torch.tensor([True, False]), torch.tensor([True, True])) is not None


def test_nothing_to_compare_is_right() -> None:
    empty = TensorTree({"l": []}, [])
    assert wrong_values(empty, ExpectedUse(None, empty, None, []), "default", False) is None
    assert wrong(torch.empty(0, 3), torch.empty(0, 3)) is None

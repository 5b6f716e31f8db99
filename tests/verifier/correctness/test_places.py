"""Tests of the places of wrong values: their words, and what they cost where values are right."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernelwright.schema import WrongValues
from kernelwright.verifier.correctness.places import DETAILED, Places
from kernelwright.verifier.inside.worker import POISONED_BYTES
from kernelwright.verifier.tolerance import compare
from kernelwright.verifier.worker.pieces import PIECE


def located(candidate: torch.Tensor, reference: torch.Tensor) -> WrongValues | None:
    golden = reference.double() if reference.is_floating_point() else None
    places = Places(candidate, reference)
    compare(candidate, reference, golden, on_wrong=places.add)
    return places.found("default", 0, 1)


def changed(shape: tuple[int, ...], place: tuple[Any, ...]) -> WrongValues:
    """Return what is found where a result is off by 1 at some places."""
    reference = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    candidate = reference.clone()
    candidate[place] += 1.0
    found = located(candidate, reference)
    assert found is not None
    return found


ALL = slice(None)


@pytest.mark.parametrize(
    ("shape", "place", "pattern"),
    [
        ((64, 100), (ALL, slice(97, None)), "the last 3 columns"),
        ((64, 100), (ALL, slice(2)), "the first 2 columns"),
        ((64, 100), (slice(16, None),), "rows from 16 on"),
        ((64, 100), (63,), "row 63 (the last)"),
        ((64, 100), (ALL, slice(None, None, 8)), "every 8th column from 0 on"),
        ((64, 100), (slice(4, 8), slice(32, 64)), "rows 4 to 7, columns 32 to 63"),
        ((64, 100), (5, 7), "row 5, column 7"),
        ((64, 100), (ALL, [3, 50, 51]), "within columns 3 to 51"),
        ((64, 100), (ALL,), "all of them"),
        ((1, 100), (0, slice(96, None)), "the last 4 columns"),
        ((1003,), (slice(1000, None),), "the last 3 elements"),
        ((2, 3, 8, 33), (ALL, ALL, ALL, 32), "index 32 of dimension 3 (the last)"),
        ((2, 3, 8, 33), (1, ALL, slice(2, 4)), "index 1 of dimension 0 (the last), "
         "indexes 2 to 3 of dimension 2"),
        ((), (), "all of them"),
    ],
)  # fmt: skip
def test_a_pattern_has_words(shape: tuple[int, ...], place: tuple[Any, ...], pattern: str) -> None:
    assert changed(shape, place).pattern == pattern


def test_elements_one_after_the_other_that_fill_no_box() -> None:
    reference = torch.randn(10, 33)
    for places, pattern in (
        (slice(290, None), "the last 40 in row-major order"),
        (slice(40, 80), "a run of 40 in row-major order"),
        (slice(7, None, 8), "every 8th in row-major order"),
    ):
        candidate = reference.clone()
        candidate.view(-1)[places] += 1.0
        found = located(candidate, reference)
        assert found is not None
        assert found.pattern == pattern


def test_the_first_element_the_extent_and_the_kind_are_told() -> None:
    reference = torch.full((4, 6), 0.25)
    for value, kind, text in (
        (float("nan"), "NaN there", "nan"),
        (float("inf"), "infinite there", "inf"),
        (0.0, "0 there", "0"),
        (0.125, None, "0.125"),
    ):
        candidate = reference.clone()
        candidate[1:3, 4:] = value
        found = located(candidate, reference)
        assert found is not None
        assert (found.count, found.extent) == (4, ((1, 2), (4, 5)))
        assert found.kind == kind
        assert (found.first.index, found.first.got) == ((1, 4), text)
        assert found.first.expected == "0.25"


def test_memory_that_was_never_written_is_told_from_wrong_values() -> None:
    reference = torch.randn(8, 8)
    candidate = reference.clone()
    candidate[:, 5:].copy_(torch.full((8, 12), POISONED_BYTES).byte().view(torch.float32))
    found = located(candidate, reference)
    assert found is not None
    assert found.kind == "never written there"
    assert found.words[0] == (
        "in the output of shape [8, 8] on workload 'default' 24 of 64 values are wrong: "
        "the last 3 columns; never written there"
    )


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.bool, torch.bfloat16, torch.complex64, torch.float8_e4m3fn]
)
def test_every_type_has_its_places(dtype: torch.dtype) -> None:
    reference = torch.arange(12).reshape(3, 4).to(dtype)
    candidate = reference.clone()
    candidate[2, 1:3] = 0
    found = located(candidate, reference)
    assert found is not None
    assert found.pattern == "row 2 (the last), columns 1 to 2"
    assert found.kind == "0 there"


def test_values_that_are_wrong_only_together_have_no_place() -> None:
    golden = torch.randint(-5, 6, (1000,), generator=torch.Generator().manual_seed(1)).double()
    reference = golden.float()
    reference[17] += 1  # so each element may be off by 8
    candidate = golden.float() + 1
    assert compare(candidate, reference, golden).reason is not None
    places = Places(candidate, reference)
    compare(candidate, reference, golden, on_wrong=places.add)
    assert places.found("default", 0, 1) is None


def test_sentinel_values_and_the_others_are_told_together() -> None:
    reference = torch.randn(20, 10)
    reference[:, 5:] = -1e9
    candidate = reference.clone()
    candidate[3] += 1e5
    found = located(candidate, reference)
    assert found is not None
    assert (found.count, found.pattern) == (10, "row 3")


def test_a_result_of_many_pieces_is_told_as_one() -> None:
    reference = torch.randn(5 * PIECE // 64, 96)
    candidate = reference.clone()
    candidate[:, 95] = 7.0
    candidate = candidate.T.contiguous().T  # of other strides
    found = located(candidate, reference)
    assert found is not None
    assert found.pattern == "column 95 (the last)"
    assert found.count == len(reference)


def test_of_very_many_wrong_elements_only_some_are_looked_at() -> None:
    rows, columns = 40, DETAILED // 16
    places = Places(torch.zeros(1).expand(rows, columns), torch.ones(1).expand(rows, columns))
    for row in range(rows):
        places.add(torch.arange(row * columns + 8, (row + 1) * columns))
    found = places.found("default", 0, 1)
    assert found is not None
    assert found.count == rows * (columns - 8)
    assert found.pattern == "within columns from 8 on"
    assert found.extent == ((0, rows - 1), (8, columns - 1))
    assert found.kind == "0 there"

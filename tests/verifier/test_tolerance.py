"""Tests of the tolerance rule: the reference's own error is the yardstick."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.schema import ToleranceName
from kernelwright.verifier.tolerance import ERROR_RATIO, ULPS, Difference, compare
from kernelwright.verifier.worker import pieces

TOLERANCES: tuple[ToleranceName, ...] = ("default", "kernelbench")
EPS = torch.finfo(torch.float32).eps
seeds = st.integers(0, 10_000)
scales = st.sampled_from([2.0**-10, 1.0, 32.0, 1e6])


def drawn(seed: int, scale: float, count: int = 257) -> torch.Tensor:
    return scale * torch.randn(count, generator=torch.Generator().manual_seed(seed))


def rounded(values: torch.Tensor, mantissa_bits: int) -> torch.Tensor:
    """Round values to so many mantissa bits: 10 for TF32, 7 for bfloat16."""
    bits = values.view(torch.int32)
    drop = 23 - mantissa_bits
    return ((bits + (1 << (drop - 1))) >> drop << drop).view(torch.float32)


@settings(max_examples=40, deadline=None)
@given(seeds, scales)
def test_the_reference_is_right_and_a_lower_precision_is_not(seed: int, scale: float) -> None:
    golden = drawn(seed, scale).double()
    reference = golden.float()
    assert compare(reference, reference, golden).reason is None
    assert compare(reference, reference, None).margin == 0
    for bits in (10, 7):
        for truth in (golden, None):
            difference = compare(rounded(reference, bits), reference, truth)
            assert difference.reason is not None
            assert difference.margin > 2


@settings(max_examples=40, deadline=None)
@given(seeds, scales, st.integers(0, 256))
def test_one_value_that_is_wrong_by_ten_times_the_allowed_error(
    seed: int, scale: float, index: int
) -> None:
    golden = drawn(seed, scale).double()
    reference = golden.float()
    mean = float(golden.square().mean().sqrt())
    own = float((reference - golden).abs().max())
    allowed = max(ERROR_RATIO * own, ULPS * EPS * max(abs(float(golden[index])), mean))
    for factor, right in ((0.5, True), (10.0, False)):
        other = reference.clone()
        other[index] += factor * allowed
        assert (compare(other, reference, golden).reason is None) is right


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 100_000))
def test_sums_in_another_order_are_right(seed: int, count: int) -> None:
    terms = torch.rand(4, count, generator=torch.Generator().manual_seed(seed)) - 0.3
    golden, reference = terms.double().sum(1), terms.sum(1)
    lanes = torch.nn.functional.pad(terms, (0, -count % 8)).view(4, -1, 8)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    for other in (lanes.sum(1).sum(1), terms[:, order].sum(1), terms.flip(1).sum(1)):
        assert compare(other, reference, golden).reason is None
    assert compare(terms.half().float().sum(1) * 1.001, reference, golden).reason is not None


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("special", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_must_be_in_the_same_places(
    tolerance: ToleranceName, special: float
) -> None:
    reference = torch.tensor([1.0, special, 2.0])
    same = compare(reference.clone(), reference, reference.double(), tolerance)
    accepted = tolerance == "default" or special == special
    assert (same.reason is None) is accepted
    plain = torch.ones(3)
    for other in (torch.tensor([special, 1.0, 2.0]), plain, -reference):
        if not torch.equal(other.isnan(), reference.isnan()) or special == special:
            assert compare(other, reference, None, tolerance).reason is not None
    assert compare(reference, torch.tensor([1.0, 5.0, 2.0]), None).reason is not None


def test_zeros_allow_nothing_else() -> None:
    zeros = torch.zeros(5)
    assert compare(zeros, zeros, zeros.double()).reason is None
    assert compare(-zeros, zeros, zeros.double()).reason is None
    assert compare(zeros + 1e-30, zeros, zeros.double()).reason is not None
    assert compare(zeros, torch.randn(5), None).reason is not None
    assert compare(torch.empty(0), torch.empty(0), torch.empty(0).double()).reason is None


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integers_are_exact(dtype: torch.dtype) -> None:
    reference = torch.tensor([0, 1, 1, 0, 1]).to(dtype)
    assert compare(reference.clone(), reference, None).reason is None
    other = reference.clone()
    other[1] = 0
    assert "1 of 5 integer values differ" in (compare(other, reference, None).reason or "")


def test_a_golden_value_that_is_not_finite_is_none() -> None:
    reference = torch.randn(64)
    golden = reference.double().index_fill(0, torch.tensor([3]), float("nan"))
    wrong = reference.index_fill(0, torch.tensor([3]), 9.0)
    assert compare(reference, reference, golden).reason is None
    assert compare(wrong, reference, golden).reason is not None


def test_a_step_in_the_reference_does_not_excuse_the_whole_tensor() -> None:
    golden = torch.randint(-5, 6, (1000,), generator=torch.Generator().manual_seed(1)).double()
    reference = golden.float()
    reference[17] += 1  # rounded to the other side than in float64
    flipped = golden.float()
    flipped[[18, 19]] -= 1
    assert compare(flipped, reference, golden).reason is None
    zeros = compare(torch.zeros(1000), reference, golden)
    assert zeros.reason is not None
    assert "in the mean" in zeros.reason


@settings(max_examples=60, deadline=None)
@given(seeds, scales, st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
       st.floats(-3e-2, 3e-2))  # fmt: skip
def test_kernelbench_tolerance_is_its_allclose(
    seed: int, scale: float, dtype: torch.dtype, noise: float
) -> None:
    reference = drawn(seed, min(scale, 32.0)).to(dtype)
    for factor in (1.0, 0.01):
        other = (reference.float() * (1 + factor * noise) + factor * noise * 0.1).to(dtype)
        tolerance = 1e-4 if dtype is torch.float32 else 1e-2
        wide = reference.double(), other.double()
        expected = torch.allclose(*wide, atol=tolerance, rtol=tolerance)
        assert (compare(other, reference, None, "kernelbench").reason is None) is expected


def test_complex_values_are_compared_whole() -> None:
    reference = torch.randn(64, dtype=torch.complex64)
    golden = reference.to(torch.complex128)
    assert compare(reference, reference, golden).reason is None
    for tolerance in TOLERANCES:
        assert compare(reference.conj().resolve_conj(), reference, golden, tolerance).reason


def test_what_the_rounding_of_inputs_moves_may_be_off_by_it_and_nothing_else() -> None:
    golden = torch.linspace(1, 2, 100, dtype=torch.float64)
    conditioning = torch.zeros_like(golden)
    conditioning[7] = 0.01
    other = golden.float()
    other[7] += 0.05
    assert compare(other, golden.float(), golden).reason is not None
    assert compare(other, golden.float(), golden, conditioning=conditioning).reason is None
    other[8] += 0.05
    assert "1 of 100" in (
        compare(other, golden.float(), golden, conditioning=conditioning).reason or ""
    )
    other[[7, 8]] = golden[[7, 8]].float() + torch.tensor([0.1, 0.0])
    assert compare(other, golden.float(), golden, conditioning=conditioning).reason is not None


@pytest.mark.parametrize("fill", [-1e9, -65504.0, torch.finfo(torch.float32).min])
def test_what_lies_beside_a_mask_is_judged_by_itself(fill: float) -> None:
    golden = drawn(1, 1.0, 512).double()
    golden[::2] = fill
    reference = golden.float()
    assert compare(reference, reference, golden).reason is None
    zeros = torch.where(reference == fill, reference, torch.zeros(()))
    found = compare(zeros, reference, golden)
    assert found.reason is not None and found.reason.startswith("256 of 256")
    off = torch.where(reference == fill, reference * (1 + 1e-3), reference)
    assert compare(off, reference, golden).reason is not None


def test_a_large_number_among_others_is_no_mask() -> None:
    golden = torch.logspace(-3, 5, 512, dtype=torch.float64)
    reference = golden.float()
    off = reference + 1e-3  # far less than one rounding of the root mean square
    assert compare(off, reference, golden).reason is None


def test_an_index_among_equal_numbers_may_be_any_of_them() -> None:
    reference, other = torch.tensor([0, 1, 2]), torch.tensor([1, 0, 2])
    seen = torch.stack([reference, other, reference])
    assert compare(other, reference, reference).reason == "2 of 3 integer values differ"
    assert compare(other, reference, reference, conditioning=seen).reason is None
    wrong = torch.tensor([1, 0, 1])
    assert compare(wrong, reference, reference, conditioning=seen).reason is not None


SHAPES = [(1000,), (7, 143), (3, 1, 5, 67), (2, 500, 1), (1, 1001)]
OF_PIECE = {"piece": 64, "whole": 2**30}


@settings(max_examples=80, deadline=None)
@given(
    seeds,
    st.sampled_from(SHAPES),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.complex64,
                     torch.int64]),
    st.sampled_from(["right", "noisy", "masked", "infinite", "nan"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(TOLERANCES),
)  # fmt: skip
def test_pieces_of_a_tensor_are_judged_as_the_whole(
    seed: int,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    change: str,
    coarse: bool,
    is_conditioned: bool,
    tolerance: ToleranceName,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    wide = torch.randn(shape, dtype=torch.float64, generator=generator)
    golden = torch.complex(wide, wide.flip(-1)) if dtype.is_complex else wide
    if not (dtype.is_floating_point or dtype.is_complex):
        golden = (golden * 3).round()
    places = torch.rand(shape, generator=generator) < 0.05
    specials = {"masked": -1e9, "infinite": -float("inf"), "nan": float("nan")}
    if change in specials and dtype.itemsize > 1 and dtype is not torch.int64:
        golden = golden.masked_fill(places, specials[change])
    reference = golden.to(dtype)
    noise = 1e-2 if change == "noisy" else 1e-7
    candidate = (golden * (1 + noise * torch.randn(shape, generator=generator))).to(dtype)
    candidate = candidate.transpose(0, -1).contiguous().transpose(0, -1)  # other strides
    if dtype is torch.int64:
        distance = torch.stack([candidate, reference])
    else:
        distance = noise * golden.abs()
    found: dict[str, Difference] = {}
    for name, elements in OF_PIECE.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "PIECE", elements)
            truth = golden if dtype is not torch.int64 else None
            found[name] = compare(
                candidate, reference, truth, tolerance, coarse, distance if is_conditioned else None
            )
    piece, whole = found["piece"], found["whole"]
    assert piece.reason == whole.reason
    for one, other in zip(piece[1:], whole[1:], strict=True):
        # Norms of pieces add up in another order.
        assert one == other or one == pytest.approx(other, rel=1e-12)
    assert (piece.max_abs_error, piece.reference_max_abs_error) == (
        whole.max_abs_error,
        whole.reference_max_abs_error,
    )


@pytest.mark.parametrize("elements", [1, 5, 64, 10_000])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), *SHAPES])
def test_pieces_are_every_element_once(
    shape: tuple[int, ...], elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", elements)
    whole = torch.arange(torch.Size(shape).numel()).reshape(shape)
    found = [whole[place].reshape(-1) for place in pieces.pieces(shape)]
    assert torch.cat(found).equal(whole.reshape(-1))
    assert all(len(piece) <= elements for piece in found)

"""The tolerance rule: the candidate's error against float64, bounded by the reference's own.

An element c of a floating output is right when

    |c - g| <= max(ERROR_RATIO * E, ULPS * eps * max(|g|, s))

with g the float64 golden value, E the largest error of the task-precision reference over the
tensor, eps that of the dtype and s the root mean square of g. The first term follows the task's own
conditioning (a long sum may be as wrong as PyTorch's, in another order); the second keeps a
reference that happens to be exact from demanding exactness. Both are far below one step of a lower
precision: rounding to bfloat16 or TF32 is wrong by up to 2**15 or 2**12 float32 eps. ULPS is 4 for
types of 16 bits and fewer, where only the result is rounded. The root mean squares of the errors
are held to the same rule: where a step (rounding, a comparison) makes E large in one place, the
rest of the tensor stays bounded. Without a golden value the reference takes its place and ULPS is
multiplied by ERROR_RATIO; a golden value with a non-finite element where the reference is finite
counts as none.

Where a result is badly conditioned (two logits that nearly tie) E is a matter of luck. A result
that fails the rule is therefore compared again with ERROR_RATIO * R allowed as well, R being how
far that element of g moves when the inputs move by less than one rounding of their type. Integers
have to be equal to the reference's, or to what they become then: of equal numbers any may come
first.

Sentinel values, far above all others (masks: -1e9, the lowest of the type), are judged separately:
with them in the same tensor s and E would allow the others to be anything.

Inputs that are degenerate on purpose are judged `coarse`ly: sqrt(eps) takes the place of eps, s is
at least 1, and places where the reference itself is not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:  # this text is part of reproduce.py, too
    from kernelwright.schema import ToleranceName

ERROR_RATIO = 8.0
ULPS = 32.0
# With 16 bits and fewer only the result is rounded; 32 steps of bfloat16 would be a quarter.
ULPS_HALF = 4.0
# A sentinel value is at least this large, and this many times the root mean square of the others.
FILL, FILL_RATIO = 1e4, 1e3
# atol = rtol by precision, from KernelBench (eval.py).
KERNELBENCH = {torch.float16: 1e-2, torch.bfloat16: 1e-2}
KERNELBENCH_OTHERS = 1e-4


class Difference(NamedTuple):
    """The outcome of one comparison of one tensor."""

    reason: str | None
    """Description of the error; None when the values are right."""
    max_abs_error: float
    reference_max_abs_error: float
    margin: float
    """Largest error over allowed error."""
    bits: float | None = None
    """Right bits in the mean, -log2 of the relative error; None where that is meaningless."""
    reference_bits: float | None = None


def compare(
    candidate: torch.Tensor,
    reference: torch.Tensor,
    golden: torch.Tensor | None,
    tolerance: ToleranceName = "default",
    coarse: bool = False,
    conditioning: torch.Tensor | None = None,
) -> Difference:
    """Compare one output; shapes and dtypes of candidate and reference are equal already.

    Args:
        conditioning: how far each golden value moves within the rounding of the inputs. For
            integers, the values they become, stacked in a new first dimension. None if unknown.
    """
    if not (reference.is_floating_point() or reference.is_complex()):
        differs = candidate != reference
        if conditioning is not None:
            differs &= (conditioning != candidate).all(0)
        wrong = int(differs.sum())
        reason = f"{wrong} of {reference.numel()} integer values differ" if wrong else None
        return Difference(reason, float(wrong > 0), 0.0, float("inf") if wrong else 0.0)
    precision = torch.finfo(reference.dtype)
    if precision.bits == 8:  # torch compares no float8
        candidate, reference = candidate.float(), reference.float()
    if not (_is_finite(candidate) and _is_finite(reference)):
        nonfinite = _nonfinite_difference(candidate, reference, tolerance, coarse)
        if nonfinite:
            return Difference(nonfinite, float("inf"), 0.0, float("inf"))
        finite = reference.isfinite()
        candidate, reference = candidate[finite], reference[finite]
        golden = golden if golden is None else golden[finite]
        conditioning = conditioning if conditioning is None else conditioning[finite]
    if reference.numel() == 0:
        return Difference(None, 0.0, 0.0, 0.0)
    if tolerance == "kernelbench":
        return _kernelbench(candidate, reference)
    if golden is not None and not _is_finite(golden):
        golden = None
    parts = [
        _against_golden(candidate, reference, golden, precision, coarse, conditioning)
        for candidate, reference, golden, conditioning in _parts(
            candidate, reference, golden, conditioning, coarse
        )
    ]
    return _together(parts)


def _parts(
    candidate: torch.Tensor,
    reference: torch.Tensor,
    golden: torch.Tensor | None,
    conditioning: torch.Tensor | None,
    coarse: bool,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None]]:
    """Split sentinel values (-1e9 masks) from the rest; without any yield everything once."""
    fill = None if coarse else _fill(reference)
    if fill is None:
        yield candidate, reference, golden, conditioning
        return
    for part in (~fill, fill):
        yield (
            candidate[part],
            reference[part],
            golden if golden is None else golden[part],
            conditioning if conditioning is None else conditioning[part],
        )


def _together(parts: Sequence[Difference]) -> Difference:
    """Return the worst of some differences, with the largest errors and the first one's bits."""
    worst = max(parts, key=lambda part: (part.reason is not None, part.margin))
    return worst._replace(
        max_abs_error=max(part.max_abs_error for part in parts),
        reference_max_abs_error=max(part.reference_max_abs_error for part in parts),
        bits=parts[0].bits,
        reference_bits=parts[0].reference_bits,
    )


def _fill(reference: torch.Tensor) -> torch.Tensor | None:
    """Return a mask of sentinel values; None if there are none, or nothing else."""
    if not reference.is_floating_point():
        return None
    top = float(reference.abs().max())
    if top < FILL:
        return None
    fill = reference.abs() > top / 2
    others = reference[~fill]
    is_far_above = others.numel() > 0 and _rms(others.double()) * FILL_RATIO <= top
    return fill if is_far_above else None


def _is_finite(tensor: torch.Tensor) -> bool:
    """Return whether all elements are finite."""
    if tensor.is_complex():
        return _is_finite(torch.view_as_real(tensor.resolve_conj()))
    return all(map(math.isfinite, torch.aminmax(tensor))) if tensor.numel() else True


def _nonfinite_difference(
    candidate: torch.Tensor, reference: torch.Tensor, tolerance: ToleranceName, coarse: bool
) -> str | None:
    if coarse:
        wrong = int((~candidate.isfinite() & reference.isfinite()).sum())
        return f"{wrong} values are not finite where the reference's are" if wrong else None
    if tolerance == "kernelbench" and bool(reference.isnan().any()):
        return "NaN in the reference, which KernelBench takes for wrong"
    if not torch.equal(candidate.isnan(), reference.isnan()):
        return "NaN in other places than the reference"
    infinite = candidate.isinf() | reference.isinf()
    if not torch.equal(candidate[infinite], reference[infinite]):
        return "infinite values in other places than the reference"
    return None


def _against_golden(
    candidate: torch.Tensor,
    reference: torch.Tensor,
    golden: torch.Tensor | None,
    precision: torch.finfo,
    coarse: bool,
    conditioning: torch.Tensor | None,
) -> Difference:
    truth = _wide(reference if golden is None else golden)
    own_error, error = ((value - truth).abs() for value in (reference, candidate))
    rms = _rms(truth)
    floor, scale = _floor(precision, golden is None, coarse), max(rms, 1.0) if coarse else rms
    largest = float(own_error.max())
    allowed = truth.abs().clamp_(min=scale).mul_(floor).clamp_(min=ERROR_RATIO * largest)
    mean, own_mean = _rms(error), _rms(own_error)
    allowed_mean = max(ERROR_RATIO * own_mean, floor * scale)
    if conditioning is not None:
        allowed = torch.maximum(allowed, ERROR_RATIO * conditioning)
        allowed_mean = max(allowed_mean, ERROR_RATIO * _rms(conditioning))
    found = _with_mean(_judge(error, allowed, largest), mean, allowed_mean)
    if coarse or golden is None:
        return found
    return found._replace(bits=_bits(mean, rms), reference_bits=_bits(own_mean, rms))


def _floor(precision: torch.finfo, without_golden: bool, coarse: bool) -> float:
    eps = math.sqrt(precision.eps) if coarse else precision.eps
    floor = (ULPS if precision.bits > 16 else ULPS_HALF) * eps
    return floor * ERROR_RATIO if without_golden else floor


def _bits(error: float, scale: float) -> float | None:
    return -math.log2(error / scale) if error > 0 and scale > 0 else None


def _with_mean(difference: Difference, mean: float, allowed: float) -> Difference:
    if difference.reason is not None or mean <= allowed:
        return difference
    margin = mean / allowed if allowed else float("inf")
    reason = f"the values are wrong by {mean:.3g} in the mean ({margin:.3g} times what is allowed)"
    return difference._replace(reason=reason, margin=margin)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _rms(values: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(values)) / math.sqrt(values.numel())


def _kernelbench(candidate: torch.Tensor, reference: torch.Tensor) -> Difference:
    truth, other = _wide(reference), _wide(candidate)
    # torch.allclose(reference, candidate) is relative to the candidate.
    allowed = KERNELBENCH.get(reference.dtype, KERNELBENCH_OTHERS) * (1 + other.abs())
    error = (other - truth).abs()
    # The reference's own error is unknown here; it can have as many right bits as its type at best.
    own = 1.0 - math.log2(torch.finfo(reference.dtype).eps)
    bits = _bits(_rms(error), _rms(truth))
    return _judge(error, allowed, 0.0)._replace(bits=bits, reference_bits=own)


def _judge(error: torch.Tensor, allowed: torch.Tensor, reference_error: float) -> Difference:
    # A tensor of exact zeros allows nothing: 0 / 0 is right, more / 0 is wrong.
    margins = (error / allowed).masked_fill_(error == 0, 0.0)
    margin, largest = float(margins.max()), float(error.max())
    reason = None
    if margin > 1.0:
        wrong = int((margins > 1.0).sum())
        reason = (
            f"{wrong} of {error.numel()} values are wrong, by up to {largest:.3g} "
            f"({margin:.3g} times what is allowed)"
        )
    return Difference(reason, largest, reference_error, margin)

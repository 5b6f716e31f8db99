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

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch

from kernelwright.verifier.worker.pieces import PIECE, pieces

if TYPE_CHECKING:  # this text is part of reproduce.py, too
    from kernelwright.schema import ToleranceName, WrongValues

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
    wrong: WrongValues | None = None
    """The places of the wrong values, where they were looked for."""


def compare(
    candidate: torch.Tensor,
    reference: torch.Tensor,
    golden: torch.Tensor | None,
    tolerance: ToleranceName = "default",
    coarse: bool = False,
    conditioning: torch.Tensor | None = None,
    on_wrong: OnWrong | None = None,
) -> Difference:
    """Compare one output; shapes and dtypes of candidate and reference are equal already.

    Args:
        conditioning: how far each golden value moves within the rounding of the inputs. For
            integers, the values they become, stacked in a new first dimension. None if unknown.
        on_wrong: called with the places of elements that are wrong by themselves, as indexes of the
            flattened tensor, piece by piece.
    """
    precision = _precision(reference)
    values = _Values(candidate, reference, golden, conditioning)
    if precision is None:
        return _integers(values, on_wrong)
    whole: Pieces = functools.partial(_pieces, values, on_wrong is not None)
    if reference.numel() <= PIECE:
        whole = _held(whole)
    if not (_all_finite(candidate) and _all_finite(reference)):
        nonfinite = _nonfinite_difference(candidate, reference, tolerance, coarse)
        if nonfinite:
            if on_wrong is not None:
                for piece in whole():
                    _tell(on_wrong, piece.at, _is_misplaced(piece, coarse))
            return Difference(nonfinite, float("inf"), 0.0, float("inf"))
        whole = _chosen(whole, lambda piece: piece.reference.isfinite())
    if not any(piece.reference.numel() for piece in whole()):
        return Difference(None, 0.0, 0.0, 0.0)
    if tolerance == "kernelbench":
        return _kernelbench(whole, on_wrong)
    has_golden = golden is not None and all(_is_finite(piece.truth) for piece in whole())
    judged = functools.partial(
        _judged, precision=precision, coarse=coarse, has_golden=has_golden, on_wrong=on_wrong
    )
    return _together([judged(part) for part in _parts(whole, coarse)])


def _tell(on_wrong: OnWrong | None, at: torch.Tensor | None, wrong: torch.Tensor) -> None:
    """Tell where the elements of a piece are wrong, if that is asked for."""
    if on_wrong is not None and at is not None and bool(wrong.any()):
        on_wrong(at[wrong])


class _Values(NamedTuple):
    """The values that are compared, or a flat piece of them."""

    candidate: torch.Tensor
    reference: torch.Tensor
    golden: torch.Tensor | None
    conditioning: torch.Tensor | None
    at: torch.Tensor | None = None
    """Indexes of the elements in the flattened tensor, where they are wanted."""

    @property
    def truth(self) -> torch.Tensor:
        """The golden value if there is one, else the reference's."""
        return self.reference if self.golden is None else self.golden


# Errors of so many elements are kept in float64 between both passes, 4 MiB in all.
HELD = 2**18
# Large tensors are compared piece by piece, as what is computed on the way is in float64.
Pieces = Callable[[], Iterator[_Values]]
OnWrong = Callable[[torch.Tensor], None]
T = TypeVar("T")


def _held(make: Callable[[], Iterator[T]]) -> Callable[[], Iterator[T]]:
    """Return a function that yields the same without making it again."""
    found = list(make())
    return lambda: iter(found)


def _pieces(values: _Values, with_places: bool) -> Iterator[_Values]:
    start = 0
    for place in pieces(values.reference.shape):
        candidate, reference = values.candidate[place], values.reference[place]
        if reference.dtype.itemsize == 1:  # torch compares no float8
            candidate, reference = candidate.float(), reference.float()
        golden, conditioning = values.golden, values.conditioning
        end = start + reference.numel()
        yield _Values(
            candidate.reshape(-1),
            reference.reshape(-1),
            golden if golden is None else golden[place].reshape(-1),
            conditioning if conditioning is None else conditioning[place].reshape(-1),
            torch.arange(start, end) if with_places else None,
        )
        start = end


def _chosen(whole: Pieces, choice: Callable[[_Values], torch.Tensor]) -> Pieces:
    """Return pieces with the elements for which `choice` gives a mask."""

    def chosen() -> Iterator[_Values]:
        for piece in whole():
            mask, golden, moved = choice(piece), piece.golden, piece.conditioning
            yield _Values(
                piece.candidate[mask],
                piece.reference[mask],
                golden if golden is None else golden[mask],
                moved if moved is None else moved[mask],
                piece.at if piece.at is None else piece.at[mask],
            )

    return chosen


def _precision(reference: torch.Tensor) -> torch.finfo | None:
    """Return the limits of a floating type; None for other types."""
    floats = reference.is_floating_point() or reference.is_complex()
    return torch.finfo(reference.dtype) if floats else None


def _integers(values: _Values, on_wrong: OnWrong | None) -> Difference:
    wrong, start, stacked = 0, 0, values.conditioning
    for place in pieces(values.reference.shape):
        differs = values.candidate[place] != values.reference[place]
        if stacked is not None:
            differs &= (stacked[slice(None), *place] != values.candidate[place]).all(0)
        here = int(differs.sum())
        if on_wrong is not None and here:
            on_wrong(start + differs.reshape(-1).nonzero().squeeze(1))
        wrong, start = wrong + here, start + differs.numel()
    reason = f"{wrong} of {values.reference.numel()} integer values differ" if wrong else None
    return Difference(reason, float(wrong > 0), 0.0, float("inf") if wrong else 0.0)


def _parts(whole: Pieces, coarse: bool) -> list[Pieces]:
    """Split sentinel values (-1e9 masks) from the rest; without any return everything."""
    bound = None if coarse else _sentinel_bound(whole)
    if bound is None:
        return [whole]
    return [
        _chosen(whole, lambda piece: ~_is_sentinel(piece, bound)),
        _chosen(whole, lambda piece: _is_sentinel(piece, bound)),
    ]


def _together(parts: Sequence[Difference]) -> Difference:
    """Return the worst of some differences, with the largest errors and the first one's bits."""
    worst = max(parts, key=lambda part: (part.reason is not None, part.margin))
    return worst._replace(
        max_abs_error=max(part.max_abs_error for part in parts),
        reference_max_abs_error=max(part.reference_max_abs_error for part in parts),
        bits=parts[0].bits,
        reference_bits=parts[0].reference_bits,
    )


def _is_sentinel(piece: _Values, bound: float) -> torch.Tensor:
    return piece.reference.abs() > bound


def _sentinel_bound(whole: Pieces) -> float | None:
    """Return what sentinel values lie above; None if there are none, or nothing else."""
    if any(piece.reference.is_complex() for piece in whole()):
        return None
    top = max(_largest(piece.reference) for piece in whole())
    if top < FILL:
        return None
    others = _Rms()
    for piece in whole():
        others.add(piece.reference[~_is_sentinel(piece, top / 2)].double())
    is_far_above = others.count > 0 and others.value * FILL_RATIO <= top
    return top / 2 if is_far_above else None


def _largest(tensor: torch.Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _all_finite(tensor: torch.Tensor) -> bool:
    if tensor.dtype.itemsize == 1:
        return all(_is_finite(tensor[place].float()) for place in pieces(tensor.shape))
    return _is_finite(tensor)


def _is_finite(tensor: torch.Tensor) -> bool:
    """Return whether all elements are finite."""
    if tensor.is_complex():
        return _is_finite(torch.view_as_real(tensor.resolve_conj()))
    return all(map(math.isfinite, torch.aminmax(tensor))) if tensor.numel() else True


def _nonfinite_difference(
    candidate: torch.Tensor, reference: torch.Tensor, tolerance: ToleranceName, coarse: bool
) -> str | None:
    if reference.dtype.itemsize == 1:
        candidate, reference = candidate.float(), reference.float()
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


def _is_misplaced(piece: _Values, coarse: bool) -> torch.Tensor:
    """Return a mask of the elements that `_nonfinite_difference` speaks of."""
    own, other = piece.candidate, piece.reference
    if coarse:
        return ~own.isfinite() & other.isfinite()
    infinite = own.isinf() | other.isinf()
    return (own.isnan() != other.isnan()) | (infinite & (own != other))


def _judged(
    whole: Pieces,
    precision: torch.finfo,
    coarse: bool,
    has_golden: bool,
    on_wrong: OnWrong | None = None,
) -> Difference:
    own, mean, rms, moved = _Rms(), _Rms(), _Rms(), _Rms()
    largest = 0.0
    errors: Callable[[], Iterator[_Error]] = functools.partial(_errors, whole, has_golden)
    if sum(piece.reference.numel() for piece in whole()) <= HELD:
        errors = _held(errors)
    for piece, truth, error in errors():
        own_error = (piece.reference - truth).abs()
        largest = max(largest, _largest(own_error))
        own.add(own_error)
        mean.add(error)
        rms.add(truth)
        if piece.conditioning is not None:
            moved.add(piece.conditioning)
    floor = _floor(precision, not has_golden, coarse)
    scale = max(rms.value, 1.0) if coarse else rms.value
    judgement = _Judgement(largest, on_wrong)
    for piece, truth, error in errors():
        allowed = truth.abs().clamp_(min=scale).mul_(floor).clamp_(min=ERROR_RATIO * largest)
        if piece.conditioning is not None:
            allowed = torch.maximum(allowed, ERROR_RATIO * piece.conditioning)
        judgement.add(error, allowed, piece.at)
    allowed_mean = max(ERROR_RATIO * own.value, floor * scale, ERROR_RATIO * moved.value)
    found = _with_mean(judgement.difference, mean.value, allowed_mean)
    if coarse or not has_golden:
        return found
    return found._replace(
        bits=_bits(mean.value, rms.value), reference_bits=_bits(own.value, rms.value)
    )


class _Error(NamedTuple):
    """A piece, the truth about it, and the candidate's error, both in float64."""

    piece: _Values
    truth: torch.Tensor
    error: torch.Tensor


def _errors(whole: Pieces, has_golden: bool) -> Iterator[_Error]:
    for piece in whole():
        truth = _wide(piece.truth if has_golden else piece.reference)
        yield _Error(piece, truth, (piece.candidate - truth).abs())


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


class _Rms:
    """The root mean square of values that come in pieces; 0 for none."""

    def __init__(self) -> None:
        self._norms: list[float] = []
        self.count = 0

    def add(self, values: torch.Tensor) -> None:
        """Add a piece."""
        self._norms.append(float(torch.linalg.vector_norm(values)))
        self.count += values.numel()

    @property
    def value(self) -> float:
        """Root mean square of all pieces."""
        return math.hypot(*self._norms) / math.sqrt(self.count) if self.count else 0.0


def _kernelbench(whole: Pieces, on_wrong: OnWrong | None) -> Difference:
    judgement, mean, rms = _Judgement(0.0, on_wrong), _Rms(), _Rms()
    dtype = next(whole()).reference.dtype
    for piece in whole():
        truth, other = _wide(piece.reference), _wide(piece.candidate)
        # torch.allclose(reference, candidate) is relative to the candidate.
        allowed = KERNELBENCH.get(dtype, KERNELBENCH_OTHERS) * (1 + other.abs())
        error = (other - truth).abs()
        mean.add(error)
        rms.add(truth)
        judgement.add(error, allowed, piece.at)
    # The reference's own error is unknown here; it can have as many right bits as its type at best.
    own = 1.0 - math.log2(torch.finfo(dtype).eps)
    return judgement.difference._replace(bits=_bits(mean.value, rms.value), reference_bits=own)


class _Judgement:
    """Errors against what is allowed, which come in pieces.

    Args:
        reference_error: largest error of the reference.
        on_wrong: see `compare`.
    """

    def __init__(self, reference_error: float, on_wrong: OnWrong | None) -> None:
        self._reference_error = reference_error
        self._on_wrong = on_wrong
        self._margin = self._largest = 0.0
        self._wrong = self._count = 0

    def add(self, error: torch.Tensor, allowed: torch.Tensor, at: torch.Tensor | None) -> None:
        """Add a piece, whose elements lie `at` these places."""
        if not error.numel():
            return
        # A tensor of exact zeros allows nothing: 0 / 0 is right, more / 0 is wrong.
        margins = (error / allowed).masked_fill_(error == 0, 0.0)
        margin = float(margins.max())
        self._margin, self._largest = max(self._margin, margin), max(self._largest, _largest(error))
        if margin > 1.0:
            wrong = margins > 1.0
            self._wrong += int(wrong.sum())
            _tell(self._on_wrong, at, wrong)
        self._count += error.numel()

    @property
    def difference(self) -> Difference:
        """The outcome of all pieces."""
        margin, largest, reason = self._margin, self._largest, None
        if margin > 1.0:
            reason = (
                f"{self._wrong} of {self._count} values are wrong, by up to {largest:.3g} "
                f"({margin:.3g} times what is allowed)"
            )
        return Difference(reason, largest, self._reference_error, margin)

"""The outcome of one use: a candidate's results compared with the reference's.

An honest candidate must not be called wrong, and one that bakes or forgets something errs by much.
So values are wrong only where both the rule with float64 values and the wider one without them say
so; integers where more than a few differ; and in a lower precision only where the error is gross.
Places where the reference is not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from kernelwright.schema import ToleranceName, UseOutcome
from kernelwright.verifier.tolerance import compare
from kernelwright.verifier.uses.expected import ExpectedUse
from kernelwright.verifier.worker.outputs import UseReply
from kernelwright.verifier.worker.tensor_tree import TensorTree

# Share of integers that may differ: where two numbers nearly tie, either may come first.
INTEGERS = 0.002
# Least error, as a share of the root mean square, that counts where precision is low.
GROSS = 0.1
# Two Python numbers that differ by less are equal.
RELATIVE = 1e-3


class Outcome(NamedTuple):
    """The outcome of one variant of a use."""

    outcome: UseOutcome
    detail: str | None = None


def wrong_form(reply: UseReply, expected: ExpectedUse, any_float: bool) -> str | None:
    """Return in which way the form of a candidate's results is wrong; None if it is right.

    Args:
        any_float: other floating types than the reference's will do.
    """
    if not _same_nest(reply.ran.tree, expected.values.tree):
        return "the results are nested in another way, or one is missing"
    for entry, value in zip(reply.ran.entries, expected.values.tensors, strict=True):
        if entry["shape"] != list(value.shape):
            return f"a result of shape {entry['shape']} instead of {list(value.shape)}"
        dtype: torch.dtype = getattr(torch, entry["dtype"])
        if dtype != value.dtype and not (any_float and dtype.is_floating_point):
            return f"a result of {entry['dtype']} instead of {str(value.dtype)[6:]}"
    return None


def _same_nest(own: Any, other: Any) -> bool:
    """Return whether two packed nests are equal; Python floats may differ by rounding."""
    if isinstance(own, dict) and isinstance(other, dict):
        return own.keys() == other.keys() and all(_same_nest(own[k], other[k]) for k in own)
    if isinstance(own, list) and isinstance(other, list):
        return len(own) == len(other) and all(map(_same_nest, own, other))
    if type(own) is float and type(other) is float:
        both_nan = math.isnan(own) and math.isnan(other)
        return both_nan or math.isclose(own, other, rel_tol=RELATIVE, abs_tol=1e-6)
    return type(own) is type(other) and bool(own == other)


def wrong_values(
    own: TensorTree, expected: ExpectedUse, tolerance: ToleranceName, lossy: bool
) -> str | None:
    """Return by how much a candidate's values are wrong; None if they are right.

    Args:
        lossy: computed in a lower precision.
    """
    golden: Sequence[torch.Tensor | None] = (
        expected.golden.tensors if expected.golden else [None] * len(own.tensors)
    )
    columns = zip(own.tensors, expected.values.tensors, golden, strict=True)
    found = (_wrong(*column, tolerance, lossy) for column in columns)
    return max((words for words in found if words), key=_size, default=None)


def _size(words: str) -> float:
    """Return the number in words that `_wrong` made."""
    return next((float(w) for w in words.split() if w.replace(".", "").isdigit()), math.inf)


def _wrong(
    own: torch.Tensor,
    value: torch.Tensor,
    golden: torch.Tensor | None,
    tolerance: ToleranceName,
    lossy: bool,
) -> str | None:
    if not (value.is_floating_point() or value.is_complex()):
        differ = int((own != value).sum())
        is_few = differ <= max(1, INTEGERS * value.numel()) and value.dtype != torch.bool
        return None if differ == 0 or is_few or lossy else f"{differ} of {value.numel()} differ"
    own = own.to(value.dtype)
    finite = value.isfinite()
    if bool((finite & ~own.isfinite()).any()):
        return "not finite where the reference is"
    truth = golden
    if not bool(finite.all()):  # without a copy where there is nothing to leave out
        own, value = own[finite], value[finite]
        truth = golden[finite] if golden is not None else None
    if value.numel() == 0:
        return None
    if any(compare(own, value, g, tolerance).reason is None for g in (truth, None)):
        return None
    wide = torch.complex128 if value.is_complex() else torch.float64
    error, size = (own.to(wide) - value.to(wide)).abs(), float(value.to(wide).abs().square().mean())
    rms = math.sqrt(size)
    if lossy and float(error.square().mean().sqrt()) <= GROSS * rms:
        return None
    return (
        f"off by {float(error.max()) / rms:.2g} rms" if rms else f"off by {float(error.max()):.2g}"
    )

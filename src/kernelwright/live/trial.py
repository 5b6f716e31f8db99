"""Three uses of a live module with its fast path, before it is handed over.

The judge has compared the delivered file with the exported graph, in a sandbox and in many uses.
Here it stands in front of the user's own module, with the user's own parameters, for the first
time.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from kernelwright.live.module import FastPath
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.check import difference
from kernelwright.tasks.export.program import unchanged, words_of
from kernelwright.verifier.tolerance import compare

SEED = 0


class Outcome(NamedTuple):
    """The outcome of one call."""

    result: Any
    error: str | None
    """Type and message of what was raised."""
    buffers: list[torch.Tensor]


def problem_of(module: nn.Module, view: nn.Module, form: CallForm, path: FastPath) -> str | None:
    """Return why a view can't take the place of its module; None where it can.

    It gets the given arguments, other floats in their place, and floats of another type, which are
    outside of any scope; and then the given ones again.
    """
    if path.problem is not None:
        return f"its fast path can't be made here: {path.problem}"
    other = [_moved(tensor) for tensor in form.example]
    foreign = [_foreign(tensor) for tensor in form.example]
    uses = [
        ("on the given arguments", form.example, True),
        ("on other values", other, True),
        ("on floats of another type", foreign, not _differs(form.example, foreign)),
        ("on the given arguments, once more", form.example, True),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            for name, tensors, is_fast in uses:
                problem = _tried(module, view, form, tensors, path, is_fast)
                if problem is not None:
                    return f"{name}, {problem}"
        finally:
            path.fallbacks.clear()
    return None


def _tried(
    module: nn.Module,
    view: nn.Module,
    form: CallForm,
    tensors: Sequence[torch.Tensor],
    path: FastPath,
    is_fast: bool,
) -> str | None:
    wanted = _outcome(module, form, tensors)
    path.fallbacks.clear()
    found = _outcome(view, form, tensors)
    if is_fast and path.fallbacks:
        return f"the original runs: {next(iter(path.fallbacks))}"
    if not is_fast and not path.fallbacks:
        return "the fast path runs outside of its scope"
    if found.error != wanted.error:
        return f"it raises {found.error}, and the original {wanted.error or 'nothing'}"
    problem = difference(found.result, wanted.result, _rounded)
    if problem is None:
        problem = difference(found.buffers, wanted.buffers, _rounded)
    return problem and f"it gives another value than the original: {problem}"


def _outcome(module: nn.Module, form: CallForm, tensors: Sequence[torch.Tensor]) -> Outcome:
    args, kwargs = form.call([tensor.detach().clone() for tensor in tensors])
    with torch.no_grad(), unchanged(module):
        torch.manual_seed(SEED)
        try:
            result = module(*args, **kwargs)
        except Exception as error:  # a module may raise anything
            return Outcome(None, words_of(error), [])
        return Outcome(result, None, [buffer.clone() for buffer in module.buffers()])


def _rounded(found: torch.Tensor, wanted: torch.Tensor) -> str | None:
    """Return how one tensor differs from another by the judge's rule and by KernelBench's."""
    if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        return f"{found.dtype}{list(found.shape)} is not {wanted.dtype}{list(wanted.shape)}"
    strict = compare(found, wanted, None).reason
    return strict and compare(found, wanted, None, "kernelbench").reason


def _moved(tensor: torch.Tensor) -> torch.Tensor:
    """Return other floats of the same signs; masks, indices and flags stay valid as they are."""
    if not tensor.dtype.is_floating_point:
        return tensor
    drawn = torch.rand(tensor.shape, generator=torch.Generator().manual_seed(SEED))
    return (tensor.detach() * (0.5 + drawn.to(tensor.device))).to(tensor.dtype)


def _foreign(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.dtype.is_floating_point:
        return tensor
    return tensor.detach().to(torch.float32 if tensor.dtype is torch.float64 else torch.float64)


def _differs(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> bool:
    return any(one.dtype is not other.dtype for one, other in zip(left, right, strict=True))

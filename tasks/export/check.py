"""A written task beside the live module that it was written from: both give the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from kernelwright import syntax
from kernelwright.errors import UsageError
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.program import A_PART, require_callable, unchanged
from kernelwright.tasks.export.source import WrittenTask, written_task

SEED = 0


def checked_task(module: nn.Module, form: CallForm) -> WrittenTask:
    """Return the task of a module, which gives the module's own values.

    Raises:
        UsageError: the module fails, changes attributes, can't be exported, or can't be written
            down so that it stays what it is; the sentence says which.
    """
    require_callable(module, form)
    try:
        found = written_task(module, form)
        _require_same_values(module, form, found)
    except TypeError:  # one of torch's own names takes other arguments than its operator
        found = written_task(module, form, by_operators=True)
        _require_same_values(module, form, found)
    return found


def _require_same_values(module: nn.Module, form: CallForm, written: WrittenTask) -> None:
    file: dict[str, Any] = {}
    exec(compile(syntax.parse(written.source), "<task>", "exec"), file)
    model = written.sharing(file["Model"], module)
    with torch.no_grad(), unchanged(module):
        torch.manual_seed(SEED)
        args, kwargs = form.copied()
        wanted = module(*args, **kwargs)
    with torch.no_grad(), unchanged(module):
        torch.manual_seed(SEED)
        found = written.results.nested(model(*(tensor.clone() for tensor in form.example)))
    problem = difference(found, wanted, _close)
    if problem:
        name = type(module).__name__
        raise UsageError(f"what torch.export made of {name} is something else: {problem}", A_PART)


def difference(
    found: Any, wanted: Any, compared: Callable[[torch.Tensor, torch.Tensor], str | None]
) -> str | None:
    """Return what distinguishes two results, None where nothing does.

    Args:
        compared: says what distinguishes two tensors.
    """
    (own, spec), (theirs, wanted_spec) = pytree.tree_flatten(found), pytree.tree_flatten(wanted)
    if spec != wanted_spec:
        return "another nesting of the result"
    for left, right in zip(own, theirs, strict=True):
        if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
            if problem := compared(left, right):
                return problem
        elif left is not right and left != right:
            return f"{left!r:.40} in the place of {right!r:.40}"
    return None


def _close(left: torch.Tensor, right: torch.Tensor) -> str | None:
    try:
        torch.testing.assert_close(left, right, equal_nan=True)
    except AssertionError as error:
        return " ".join(str(error).split())[:200]
    return None

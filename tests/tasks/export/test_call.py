"""Tests of the form of a call: which other calls have it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kernelwright.tasks.export.call import CallForm

X, Y = torch.randn(2, 3), torch.randn(2, 3)


class Options(nn.Module):
    """Arguments of many kinds."""

    def forward(
        self,
        x: torch.Tensor,
        mask: torch.Tensor | None = None,
        scale: float = 1.0,
        *more: torch.Tensor,
        flag: bool = False,
        **named: Any,
    ) -> torch.Tensor:
        return x


def tensors(form: CallForm, *args: Any, **kwargs: Any) -> list[Any] | str:
    return form.tensors(args, kwargs)


def test_calls_that_bind_the_same_have_the_same_form() -> None:
    form = CallForm(Options().forward, (X,), {"mask": Y})
    for found in (
        tensors(form, X, Y),
        tensors(form, X, mask=Y),
        tensors(form, mask=Y, x=X),
        tensors(form, X, Y, 1.0),
        tensors(form, X, Y, flag=False),
    ):
        assert isinstance(found, list) and [id(one) for one in found] == [id(X), id(Y)]


def test_other_values_and_other_arguments_have_another() -> None:
    form = CallForm(Options().forward, (X, Y, 2.0), {"flag": True})
    assert isinstance(tensors(form, X, Y, 2.0, flag=True), list)
    assert tensors(form, X, Y, 3.0, flag=True) == "scale is not 2.0"
    assert tensors(form, X, Y, 2, flag=True) == "scale is not 2.0"
    assert tensors(form, X, Y, 2.0) == "flag is not True"
    assert tensors(form, X, Y, 2.0, X, flag=True) == "other arguments are given"
    assert tensors(form, X, Y, 2.0, flag=True, other=1) == "other arguments are given"
    assert tensors(form) == "other arguments are given"
    assert form.fixed_words == ["scale=2.0", "flag=True"]


def test_the_nesting_belongs_to_the_form() -> None:
    class Pair(nn.Module):
        def forward(self, pair: Any) -> Any:
            return pair

    form = CallForm(Pair().forward, ((X, {"y": Y}),), {})
    assert isinstance(tensors(form, (X, {"y": Y})), list)
    assert tensors(form, [X, {"y": Y}]) == "other arguments are given"
    assert tensors(form, (X, {"z": Y})) == "other arguments are given"
    assert tensors(form, X) == "other arguments are given"


def test_a_call_is_made_again_of_other_tensors() -> None:
    form = CallForm(Options().forward, (X, None, 2.0, Y), {"flag": True, "extra": X})
    args, kwargs = form.call([Y, X, Y])
    assert args[0] is Y and args[1] is None and args[2] == 2.0 and args[3] is X
    assert kwargs["flag"] is True and kwargs["extra"] is Y

"""Tests of modules that can't be written: one sentence, and a hint on what to do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.errors import UsageError
from kernelwright.tasks.export.call import CallForm
from kernelwright.tasks.export.program import require_one_device
from tests.tasks.export.kit import written

X = torch.randn(6, 8)


class Decides(nn.Module):
    """A branch on a value."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x * 2
        return x


class Remembers(nn.Module):
    """An attribute that changes in each call."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


class Numpy(nn.Module):
    """Work outside of torch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(x.numpy() * 2)


class Constant(nn.Module):
    """A result that depends on nothing."""

    def forward(self, x: torch.Tensor) -> int:
        return 3


class Raises(nn.Module):
    """An error of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such mode")


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Linear(8, 8))
    module[0].register_forward_hook(lambda *_: None)
    return module


def patched() -> nn.Module:
    module = nn.Linear(8, 8)
    module.forward = lambda x: x  # type: ignore[method-assign, assignment]
    return module


BAD: dict[str, tuple[Any, list[str]]] = {
    "class": (nn.Linear, ["a class", "Linear(...)"]),
    "function": (torch.relu, ["not a torch.nn.Module", "forward of a module"]),
    "branch on a value": (
        Decides(),
        ["test_bad_input.py, line", "if x.sum() > 0", "values of a tensor", "torch.where"],
    ),
    "remembers": (Remembers(), ["'calls'", "register_buffer"]),
    "numpy": (Numpy(), ["test_bad_input.py, line", "x.numpy()", "module.part"]),
    "constant": (Constant(), ["no tensor"]),
    "raises": (Raises(), ["no such mode", "test_bad_input.py, line"]),
    "hooks": (hooked(), ["forward hooks", "handle.remove()"]),
    "patched": (patched(), ["replaced on the instance"]),
    "lazy": (nn.LazyLinear(4), ["weight is a Uninitialized", "call the module once"]),
    "compiled": (torch.compile(nn.Linear(8, 8)), ["_orig_mod"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_module_that_cant_be_exported(name: str) -> None:
    module, words = BAD[name]
    with pytest.raises(UsageError) as caught:
        written(module, (X,))
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(word in said for word in words), said
    assert "\n" not in caught.value.message


def test_a_hint_is_shown_below_a_traceback() -> None:
    assert UsageError("it is wrong", "do this").__notes__ == ["hint: do this"]


def test_arguments_are_a_tuple_and_a_dict() -> None:
    with pytest.raises(UsageError, match="not Tensor and dict") as caught:
        CallForm(nn.Linear(8, 8).forward, X, {})  # type: ignore[arg-type]
    assert "(x,)" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("args", "word"), [((), "missing a required"), ((X, X, X), "too many"), ((3,), "no tensor")]
)
def test_arguments_that_forward_does_not_take(args: tuple[Any, ...], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        CallForm(nn.Linear(8, 8).forward, args, {})


def test_other_devices_are_named() -> None:
    module = nn.Linear(8, 8, device="meta")
    form = CallForm(module.forward, (X,), {})
    with pytest.raises(UsageError, match="several devices: cpu, meta"):
        require_one_device(module, form, "cpu")
    form = CallForm(module.forward, (X.to("meta"),), {})
    with pytest.raises(UsageError, match="no values"):
        require_one_device(module, form, "cpu")
    form = CallForm(nn.Linear(8, 8).forward, (X,), {})
    with pytest.raises(UsageError, match="optimizes for cuda"):
        require_one_device(nn.Linear(8, 8), form, "cuda")

"""Tests of the module that is handed over: it is the user's own, with a fast path in front."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.live.trial import problem_of
from tests.live.kit import Pair, pair


class Inner(nn.Module):
    """A part with an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.scale = 0.5

    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(x) * self.scale


class Block(nn.Module):
    """Parts, options, a buffer that moves in train mode, a nested result."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 8, bias=False)
        self.head.weight = self.inner.linear.weight
        self.sizes = [1, 2]
        self.offset = torch.ones(8)

    def forward(
        self, x: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor], gain: float = 1.0
    ) -> dict[str, Any]:
        y = self.norm(self.inner(x)) + pair[0] * pair[1]
        return {"y": self.head(y) * gain + self.offset, "none": None}


X = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
PAIR = (X + 1, X * 2)


@pytest.fixture
def block(tmp_path: Path) -> Iterator[Pair]:
    torch.manual_seed(0)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pair(Block().eval(), (X, PAIR), {"gain": 2.0}, tmp_path)


def test_calls_of_the_form_are_fast_and_others_run_the_original(block: Pair) -> None:
    assert block.is_fast(X, PAIR, 2.0) and block.is_fast(x=X, gain=2.0, pair=PAIR)
    assert block.is_fast(X + 3, (X, X), gain=2.0)
    assert not block.is_fast(X, PAIR), "another number"
    assert not block.is_fast(X, list(PAIR), gain=2.0), "another nesting"
    assert not block.is_fast(X[:2], (X[:2], X[:2]), gain=2.0), "another size"
    assert not block.is_fast(X, (X[:1], X), gain=2.0), "a broadcast"
    with pytest.raises(RuntimeError):
        block.view(X.double(), PAIR, gain=2.0)
    with pytest.raises(TypeError):
        block.view(X)
    assert block.is_fast(X, PAIR, gain=2.0)
    assert "gain is not 2.0" in block.path.fallbacks


def test_it_is_the_original_in_every_other_way(block: Pair) -> None:
    assert isinstance(block.view, Block) and vars(block.view) is vars(block.original)
    assert block.view.inner is block.original.inner
    names = list(block.original.state_dict())
    assert list(block.view.state_dict()) == names
    own = {id(one) for one in block.view.parameters()}
    assert own == {id(one) for one in block.original.parameters()}
    state = {name: one + 1 for name, one in block.original.state_dict().items()}
    block.view.load_state_dict(state)
    torch.testing.assert_close(block.original.head.weight, state["head.weight"])
    assert block.is_fast(X, PAIR, gain=2.0), "new weights are followed"
    block.view.train()
    assert block.original.training and block.original.inner.training


def test_modes_are_fixed(block: Pair) -> None:
    block.original.train()
    assert not block.is_fast(X, PAIR, gain=2.0)
    block.view.eval()
    assert block.is_fast(X, PAIR, gain=2.0)
    block.original.norm.train()
    assert not block.is_fast(X, PAIR, gain=2.0)
    assert "the mode of a BatchNorm1d is train()" in block.path.fallbacks


def test_another_dtype_runs_the_original_and_back(block: Pair) -> None:
    block.view.double()
    assert block.original.head.weight.dtype is torch.float64
    assert not block.is_fast(X.double(), (X.double(), X.double()), gain=2.0)
    block.original.float()
    assert block.is_fast(X, PAIR, gain=2.0)


CHANGES: dict[str, Any] = {
    "an attribute": lambda m: setattr(m.inner, "scale", 0.25),
    "a new attribute": lambda m: setattr(m.inner, "forward", lambda x: x * 3),
    "a list": lambda m: m.sizes.append(3),
    "a tensor": lambda m: m.offset.add_(1),
    "a submodule": lambda m: setattr(m, "norm", nn.BatchNorm1d(8).eval()),
    "untied": lambda m: setattr(m.head, "weight", nn.Parameter(torch.randn(8, 8))),
    "a hook": lambda m: m.inner.register_forward_hook(lambda *_: torch.ones(4, 8)),
    "a buffer": lambda m: m.inner.register_buffer("more", torch.ones(1)),
    "no bias": lambda m: setattr(m.inner.linear, "bias", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_export_fixed_is_looked_at(block: Pair, name: str) -> None:
    assert block.is_fast(X, PAIR, gain=2.0)
    CHANGES[name](block.original)
    assert not block.is_fast(X, PAIR, gain=2.0)


def test_a_changed_class_runs_the_original(block: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inner, "forward", lambda self, x: x)
    assert not block.is_fast(X, PAIR, gain=2.0)


def test_an_equal_attribute_is_no_change(block: Pair) -> None:
    block.original.inner.scale = float("0.5")
    assert block.is_fast(X, PAIR, gain=2.0)


def test_hooks_of_the_module_itself_run(block: Pair) -> None:
    block.original.register_forward_hook(lambda *_: "hooked")
    assert block.view(X, PAIR, gain=2.0) == "hooked"


def test_gradients_run_the_original(block: Pair) -> None:
    with torch.enable_grad():
        block.view(X, PAIR, gain=2.0)["y"].sum().backward()
    assert block.original.head.weight.grad is not None
    assert any("gradients" in reason for reason in block.path.fallbacks)


def test_copies_are_of_the_original_class(block: Pair) -> None:
    for other in (copy.deepcopy(block.view), pickle.loads(pickle.dumps(block.view))):
        assert type(other) is Block
        torch.testing.assert_close(
            other(X, PAIR, gain=2.0), block.original(X, PAIR, gain=2.0), equal_nan=True
        )
    shallow = copy.copy(block.view)
    assert vars(shallow) is not vars(block.original)


def test_in_a_larger_module_and_under_torch_compile(block: Pair) -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block.view

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.block(x, PAIR, gain=2.0)["y"]
            return y

    outer, wanted = Outer(), block.original(X, PAIR, gain=2.0)["y"]
    torch.testing.assert_close(outer(X), wanted)
    compiled = torch.compile(outer, backend="eager")
    before = block.path.fallbacks.total()
    torch.testing.assert_close(compiled(X), wanted)
    assert block.path.fallbacks.total() == before


def test_each_reason_warns_once_at_the_call(block: Pair) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            block.view(X, PAIR)
            block.view(X[:2], (X[:2], X[:2]), gain=2.0)
    assert len(caught) == 2 and set(block.path.fallbacks.values()) == {3}
    assert all(one.filename == __file__ for one in caught)
    assert "the original module runs: gain is not 2.0" in str(caught[0].message)


def test_threads_fall_back_each_for_its_own_reason(block: Pair) -> None:
    wanted = block.original(X, PAIR, gain=2.0)["y"]
    wrong: list[str] = []

    def call(is_inside: bool) -> None:
        with torch.no_grad():
            for _ in range(50):
                gain = 2.0 if is_inside else 1.0
                found = block.view(X, PAIR, gain=gain)["y"]
                if is_inside and not torch.allclose(found, wanted):
                    wrong.append("value")

    threads = [threading.Thread(target=call, args=(at % 2 == 0,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and set(block.path.fallbacks) == {"gain is not 2.0"}


def test_buffers_move_in_the_original(tmp_path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pair(nn.BatchNorm1d(8), (X,), None, tmp_path)
        twin = copy.deepcopy(found.original)
        torch.testing.assert_close(found.view(X), twin(X))
        torch.testing.assert_close(found.original.running_mean, twin.running_mean)
        assert found.original.num_batches_tracked == 1 and found.file.CALLS


def test_three_uses_come_first(block: Pair, tmp_path: Path) -> None:
    assert problem_of(block.original, block.view, block.form, block.path) is None
    assert not block.path.fallbacks


def test_a_file_that_is_wrong_here_is_not_handed_over(tmp_path: Path) -> None:
    for name, change, word in (
        ("wrong", {"        return": "        return 1.01 *"}, "another value"),
        (
            "raises",
            {"        return": "        raise KeyError\n        return"},
            "the original runs",
        ),
        ("no compiler", {"class ModelNew": "raise OSError\n\n\nclass ModelNew"}, "made here"),
    ):
        (tmp_path / name).mkdir()
        found = pair(Inner(), (X,), None, tmp_path / name, change)
        problem = problem_of(found.original, found.view, found.form, found.path)
        assert problem is not None and word in problem, problem

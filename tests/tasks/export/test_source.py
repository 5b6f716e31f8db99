"""Tests of written task files: what they hold, and what they leave out."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from kernelwright.tasks.export import graph
from tests.tasks.export.kit import built, run, written

X = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))


class Head(nn.Module):
    """Tied weights, a shared part, a list, an unused parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 8, bias=False)
        self.head = nn.Linear(8, 8, bias=False)
        self.head.weight = self.embed.weight
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.LayerNorm(8)])
        self.again = self.layers[0]
        self.unused = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> Any:
        for layer in self.layers:
            x = layer(x)
        return self.head(self.again(x)) + self.embed(x)


def test_tied_weights_and_shared_parts_stay_so() -> None:
    model, _ = built(written(Head(), (X,)).source)
    assert model.head.weight is model.embed.weight
    assert model.again is getattr(model.layers, "0")
    assert set(model.state_dict()) == set(Head().state_dict())


def test_operators_are_called_by_their_names_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.Softmax(-1))
    source = written(module, (X,)).source
    assert "torch.nn.functional.linear(input, " in source and "torch.softmax(" in source
    assert "torch.ops" not in source
    monkeypatch.setattr(graph, "_own_name", lambda _: "torch.relu")
    assert "torch.ops.aten.linear.default(input, " in written(module, (X,)).source


class Nested(nn.Module):
    """Arguments and results that are nested."""

    def forward(
        self, x: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor], *, options: dict[str, Any]
    ) -> dict[str, Any]:
        y = x * pair[0] + pair[1]
        return {"y": y, "rest": [options["bias"] - y, None], "size": 3}


def test_nested_arguments_come_one_after_the_other_and_results_are_nested_again() -> None:
    found = written(Nested(), (X, (X, X + 1)), {"options": {"bias": X, "scale": 0.5}})
    model, inputs = built(found.source)
    assert len(inputs) == 4
    result = found.results.nested(model(X, X, X + 1, X))
    assert list(result) == ["y", "rest", "size"] and result["rest"][1] is None
    assert result["size"] == 3
    torch.testing.assert_close(result["rest"][0], X - (X * X + X + 1))
    assert "scale" in found.source, "what is fixed is said"


class Counting(nn.Module):
    """A buffer that the forward changes."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: torch.Tensor) -> Any:
        self.calls += 1
        return self.norm(x)


def test_buffers_that_change_do_so_in_the_file_and_not_while_it_is_written() -> None:
    module = Counting()
    found = written(module, (X,))
    assert module.calls == 0 and module.norm.num_batches_tracked == 0
    model, _ = built(found.source)
    model.load_state_dict(module.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(X), module(X))
        torch.testing.assert_close(model(X), module(X))
    assert model.calls == 2
    torch.testing.assert_close(model.norm.running_mean, module.norm.running_mean)


def test_a_module_is_written_in_its_mode() -> None:
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 8))
    assert "0.5, True" in written(module, (X,)).source
    assert "True)" not in written(module.eval(), (X,)).source.partition("def get_inputs")[0]


class Closed(nn.Module):
    """A tensor of an enclosing function, a plain attribute, a lambda."""

    def __init__(self) -> None:
        super().__init__()
        data = torch.arange(8.0)
        self.shift = torch.full((8,), 2.0)
        self.act: Any = lambda x: torch.relu(x - data)

    def forward(self, x: torch.Tensor) -> Any:
        return self.act(x) + self.shift


def test_tensors_of_closures_and_attributes_become_constants() -> None:
    model, _ = built(written(Closed(), (X,)).source)
    torch.testing.assert_close(model(X), Closed()(X))
    assert not model.state_dict()


class Masked(nn.Module):
    """A mask, a table, and a whole number as buffers."""

    mask: torch.Tensor
    table: torch.Tensor
    positions: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(64, 64).tril().bool())
        self.register_buffer("table", torch.linspace(0, 1, 8), persistent=False)
        self.register_buffer("positions", torch.arange(512).expand(1, -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = torch.zeros(6, 6).masked_fill(~self.mask[:6, :6], float("-inf"))
        return bias.softmax(-1) @ x * self.table + self.positions[:, :8]


def test_what_decides_stands_in_the_file_exactly() -> None:
    module = Masked()
    found = written(module, (X,))
    model, _ = built(found.source)
    torch.testing.assert_close(model(X), module(X))
    assert model.positions.stride() == module.positions.stride()
    assert set(model.state_dict()) == set(module.state_dict())
    assert len(found.source) < 20_000


def test_weights_are_drawn_like_the_real_ones_and_not_written_down() -> None:
    module = nn.Linear(300, 200)
    with torch.no_grad():
        module.weight.mul_(0.1).add_(3.0)
    source = written(module, (torch.randn(4, 300),)).source
    model, _ = built(source)
    assert len(source) < 2_000
    assert not torch.equal(model.weight, module.weight)
    assert abs(float(model.weight.detach().mean()) - 3.0) < 0.01


def test_inputs_are_drawn_like_the_given_ones() -> None:
    class Sum(nn.Module):
        def forward(
            self,
            x: torch.Tensor,
            ids: torch.Tensor,
            keep: torch.Tensor,
            offsets: torch.Tensor,
            half: torch.Tensor,
        ) -> torch.Tensor:
            return x.sum() + ids.sum() + keep.sum() + offsets.sum() + half.sum()

    ids = torch.randint(10, 20, (40, 40))
    keep, offsets = torch.ones(40, 40).tril().bool(), torch.tensor([0, 3, 3, 7])
    half = torch.rand(40, 40).to(torch.bfloat16).t()
    x = torch.randn(100, 100) * 5 + 100
    source = written(Sum(), (x, ids, keep, offsets, half)).source
    own = run(source)["get_inputs"]()
    assert abs(float(own[0].mean()) - 100) < 1 and abs(float(own[0].std()) - 5) < 1
    assert own[1].min() >= 10 and own[1].max() < 20 and own[1].dtype is torch.int64
    assert torch.equal(own[2], keep) and torch.equal(own[3], offsets)
    assert own[4].dtype is torch.bfloat16 and own[4].stride() == half.stride()
    assert own[4].min() >= 0, "what is of one sign keeps it"


class Branch(nn.Module):
    """Another result for large batches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.shape[0] > 4 else x * 3


def test_sizes_that_the_export_does_not_cover_raise() -> None:
    model, _ = built(written(Branch(), (X,)).source)
    torch.testing.assert_close(model(torch.randn(9, 8).zero_() + 1), torch.full((9, 8), 2.0))
    with pytest.raises(ValueError, match="sizes"):
        model(X[:3])
    with pytest.raises(ValueError, match="sizes"):
        model(X[None])


def test_a_free_size_stays_free() -> None:
    model, _ = built(written(nn.Linear(8, 4), (X,)).source)
    assert model(torch.randn(17, 8)).shape == (17, 4)
    with pytest.raises(ValueError, match="sizes"):
        model(torch.randn(17, 9))


class Doubled(torch.autograd.Function):
    """A function with a backward of its own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * 2


class Autograd(nn.Module):
    """A module of such a function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = Doubled.apply(x)  # type: ignore[no-untyped-call]
        return result + 1


def test_the_forward_of_a_custom_autograd_function_is_written() -> None:
    model, _ = built(written(Autograd(), (X,)).source)
    torch.testing.assert_close(model(X), X * 2 + 1)


class Output(NamedTuple):
    """A result of a type of its own."""

    y: torch.Tensor
    z: torch.Tensor | None


class Named(nn.Module):
    """Contexts within forward, an argument with a name that the file needs."""

    def forward(self, math: torch.Tensor, nn: torch.Tensor) -> Output:
        with torch.enable_grad():
            y = math * 2
        with torch.autocast("cpu", enabled=False):
            y = y + nn
        return Output(y, None)


def test_names_of_the_file_and_types_of_results_are_kept_apart() -> None:
    found = written(Named(), (X, X))
    model, _ = built(found.source)
    result = found.results.nested(model(X, X))
    assert isinstance(result, Output) and result.z is None
    torch.testing.assert_close(result.y, X * 3)

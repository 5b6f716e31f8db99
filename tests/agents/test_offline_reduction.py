"""Generated reductions compute what torch does, over any neighbouring dimensions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import library_candidate
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.agents.offline.reduction import RULES, find_reduction, reduced_span
from kernelwright.verifier.tolerance import compare
from tests.agents.offline_kit import imported, traced

SOURCE = """
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, *x):
        pass
"""
# All reductions of one shape are built as one file, because a build takes seconds.
OVER_DIMS: dict[str, Callable[[Any, int], Any]] = {
    "sum": lambda x, d: x.sum(d),
    "mean kept": lambda x, d: x.mean(d, keepdim=True),
    "mean of squares": lambda x, d: (x * x).mean(d),
    "greatest": lambda x, d: torch.amax(x, d),
    "least": lambda x, d: torch.amin(F.silu(x), d, keepdim=True),
    "product": lambda x, d: torch.prod(1 + 0.01 * x, d),
    "norm": lambda x, d: torch.linalg.vector_norm(x, 2, d),
    "norm 1": lambda x, d: torch.linalg.vector_norm(x, 1, d, keepdim=True),
    "argmax": lambda x, d: torch.argmax(x, d),
    "argmin": lambda x, d: torch.argmin(x * x, d, keepdim=True),
    "max": lambda x, d: tuple(torch.max(x, d)),
    "min": lambda x, d: tuple(torch.min(x.abs(), d, keepdim=True)),
}
WHOLE: dict[str, Callable[..., Any]] = {
    "sum": lambda x, y: (x * y).sum(),
    "mean": lambda x, y: (x - y).mean(),
    "max": lambda x, y: torch.max(x + y),
    "min": lambda x, y: torch.min(x + y),
    "product": lambda x, y: torch.prod(1 + 1e-3 * x),
    "argmax": lambda x, y: torch.argmax(x),
    "mse": F.mse_loss,
    "l1": lambda x, y: F.l1_loss(x, y, reduction="sum"),
    "smooth": lambda x, y: F.smooth_l1_loss(x, y, beta=0.7),
    "huber": lambda x, y: F.huber_loss(x, y, delta=0.4),
    "two dims": lambda x, y: x.sum((0, 1)),
}


@pytest.fixture(autouse=True)
def builds_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "build"))
    torch.manual_seed(0)


def made(folder: Path, function: Callable[..., Any], *inputs: torch.Tensor) -> Any:
    """Return a generated candidate for a function, every part of which is a kernel."""
    plan = design(traced(function, *inputs), Arguments((), "x"))
    assert not [line for line in plan.body if "torch.ops" in line]
    text = library_candidate(SOURCE, "Made.", plan, {})
    return imported(folder / "candidate.py", text).ModelNew()


def check(name: str, result: Any, expected: Any, golden: Any) -> None:
    if isinstance(expected, tuple):
        for place, one in enumerate(expected):
            check(name, result[place], one, golden[place])
    elif expected.is_floating_point():
        assert compare(result, expected, golden).reason is None, name
    else:
        assert torch.equal(result, expected), name


SHAPES = [((5, 37), 1), ((5, 37), 0), ((3, 70, 130), 1), ((2, 3, 20_000), 2), ((1, 9, 1), 1)]


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_over_one_dimension(tmp_path: Path, shape: tuple[int, ...], dim: int) -> None:
    def every(x: torch.Tensor) -> Any:
        return tuple(function(x, dim) for function in OVER_DIMS.values())

    x = torch.randn(shape)
    model = made(tmp_path, every, x)
    # Equal values: the first place counts; other sizes; values of which one is not a number.
    for given in (x, x.round(), torch.randn([n + 3 for n in shape])):
        result, expected, golden = model(given), every(given), every(given.double())
        for name, *values in zip(OVER_DIMS, result, expected, golden, strict=True):
            check(name, *values)
    x.view(-1)[x.numel() // 2] = float("nan")
    for name, one, other in zip(OVER_DIMS, model(x), every(x), strict=True):
        for a, b in zip(*map(torch.utils._pytree.tree_leaves, (one, other)), strict=True):
            assert torch.equal(a.isnan(), b.isnan()), name
            if not a.is_floating_point():
                assert torch.equal(a, b), name


def test_over_all(tmp_path: Path) -> None:
    def every(x: torch.Tensor, y: torch.Tensor) -> Any:
        return tuple(function(x, y) for function in WHOLE.values())

    x, y = torch.randn(3, 11, 2111), torch.randn(3, 11, 2111)
    model = made(tmp_path, every, x, y)
    for a, b in ((x, y), (1000 + x, 1000 + y), (torch.randn(2, 3, 5), torch.randn(2, 3, 5))):
        results = model(a, b), every(a, b), every(a.double(), b.double())
        for name, *values in zip(WHOLE, *results, strict=True):
            check(name, *values)
    with pytest.raises(ValueError, match="can't take shapes"):
        model(torch.randn(0, 3, 2), torch.randn(0, 3, 2))


def test_low_precision_is_summed_in_float32(tmp_path: Path) -> None:
    x = torch.randn(7, 4096).bfloat16()
    model = made(tmp_path, lambda x: (x.sum(1), x.amax(0)), x)
    total, greatest = model(x)
    assert torch.equal(total, x.double().sum(1).bfloat16())
    assert torch.equal(greatest, x.amax(0))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum((0, 2)),
        lambda x: x.sum(1, dtype=torch.float64),
        lambda x: torch.linalg.vector_norm(x, 3),
        lambda x: x.long().sum(),
        lambda x: F.mse_loss(x, x[:1].expand(3, 4, 5), reduction="none"),
        lambda x: (x > 0).sum(),
    ],
)
def test_other_reductions_are_left_alone(function: Callable[..., Any]) -> None:
    graph = traced(function, torch.randn(3, 4, 5))
    found = [find_reduction(graph, node) for node in graph.nodes.values()]
    assert not any(found)


def test_neighbouring_dimensions() -> None:
    assert reduced_span((-1, 1), 3) == (1, 3)
    assert reduced_span(None, 3) == (0, 3)
    assert reduced_span((0, 2), 3) is None
    assert len(RULES) > 15

"""Generated elementwise kernels compute what torch does, whatever the expression and the shapes."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.emit import library_candidate
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.agents.offline.pointwise import find_region
from kernelwright.verifier.tolerance import compare
from tests.agents.offline_kit import graph_of, imported, traced

UNARY: dict[str, Callable[[Any], Any]] = {
    "relu": torch.relu, "sigmoid": torch.sigmoid, "silu": nn.functional.silu, "tanh": torch.tanh,
    "abs": torch.abs, "neg": torch.neg, "gelu": nn.functional.gelu, "mish": nn.functional.mish,
    "gelu_tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "exp": lambda x: torch.exp(-x.abs()), "square": torch.square, "power": lambda x: x**2,
    "root": lambda x: torch.sqrt(x.abs() + 1), "rsqrt": lambda x: torch.rsqrt(x * x + 0.5),
    "hardswish": nn.functional.hardswish, "hardsigmoid": nn.functional.hardsigmoid,
    "relu6": nn.functional.relu6, "hardtanh": nn.functional.hardtanh,
    "leaky": lambda x: nn.functional.leaky_relu(x, 0.2), "clamp": lambda x: x.clamp(-0.5, 0.75),
    "at most": lambda x: x.clamp(max=0.5), "at least": lambda x: x.clamp(min=-0.25),
    "clamp_min": lambda x: torch.clamp_min(x, 0.1), "scaled": lambda x: x * 0.3 - 1.25,
    "half": lambda x: x / 3, "inverse": lambda x: 1.5 / (x * x + 1),
}  # fmt: skip
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / (y * y + 1),
)
SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((5, 19), (19,), (5, 19)),
    ((3, 4, 7), (4, 1), (3, 4, 7)),
    ((2, 3, 5, 4), (3, 1, 1), (1, 3, 1, 1)),
    ((2, 3, 17), (2, 3, 1), (2, 3, 17)),
    ((2, 3, 17), (3, 17), (1, 3, 17)),
    ((6, 8), (1,), ()),
    ((1, 9), (9,), (1, 9)),
    ((4100,), (4100,), (1,)),
    ((4, 6), (4, 1), (1, 6)),
)


class Case(nn.Module):
    """A random expression of an input, another one, and a parameter."""

    p: torch.Tensor

    def __init__(self, shapes: tuple[tuple[int, ...], ...], names: list[str], seed: int) -> None:
        super().__init__()
        self.names, self.seed = names, seed
        self.register_buffer("p", 2 * torch.randn(shapes[1]))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        rng, value = random.Random(self.seed), x
        for name in self.names:
            value = UNARY[name](value)
            other = rng.choice([x, y, self.p, value])
            value = rng.choice(BINARY)(value, other)
        return value


class Both(Case):
    """An expression with both inputs and the parameter."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        return torch.add(x * y, self.get_buffer("p"))


def generated(folder: Path, case: Case, *inputs: torch.Tensor) -> Any:
    """Return a generated candidate for the case."""
    plan = design(graph_of(case, *inputs), Arguments(("x", "y")))
    source = (
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
        "    def __init__(self, p):\n        super().__init__()\n        self.p = p\n\n"
        "    def forward(self, x, y):\n        return x\n"
    )
    module = imported(folder / "candidate.py", library_candidate(source, "Generated.", plan, {}))
    return module.ModelNew(case.p)


@pytest.fixture(autouse=True)
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "build"))


@pytest.mark.parametrize("index", range(len(SHAPES)))
def test_random_expressions_with_broadcasting(tmp_path: Path, index: int) -> None:
    names = sorted(UNARY)[3 * index : 3 * index + 4]
    case = Case(SHAPES[index], names, index)
    x, y = torch.randn(SHAPES[index][0]), torch.randn(SHAPES[index][2])
    model = generated(tmp_path, case, x, y)
    for scale in (1.0, 32.0, 1e-3):
        a, b = scale * x, scale * y
        expected = case(a, b)
        golden = case.double()(a.double(), b.double())
        assert golden.dtype == torch.float64
        case.float()
        result = model(a, b)
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        assert compare(result, expected, golden).reason is None, names
    transposed = x.T.contiguous().T if x.dim() == 2 else x
    assert torch.equal(model(transposed, y), model(x, y))


SPECIAL = ("at most", "gelu", "leaky", "silu", "tanh")


def test_special_values(tmp_path: Path) -> None:
    special = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 0.5, -3.0, 3.0, 6.0, 20.5, -88.0, 100.0])
    x = torch.cat([special, torch.tensor([float("inf"), float("nan")]), torch.linspace(-8, 8, 40)])

    class Each(Case):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
            return tuple(UNARY[name](x) for name in SPECIAL)

    case = Each(((1,), (1,), (1,)), [], 0)
    model = generated(tmp_path, case, x, x)
    # torch's own float32 is off by more than that on some CPUs.
    truths = case(x.double(), x.double())
    for name, own, truth in zip(SPECIAL, model(x, x), truths, strict=True):
        assert torch.allclose(own.double(), truth, rtol=1e-5, atol=1e-6, equal_nan=True), name


def test_sizes_are_read_at_run_time(tmp_path: Path) -> None:
    case = Case(((5, 19), (1,), (5, 19)), ["silu", "tanh"], 3)
    model = generated(tmp_path, case, torch.randn(5, 19), torch.randn(5, 19))
    for shape in ((3, 1000), (1, 1), (0, 19), (3, 0), (300, 257)):
        x, y = torch.randn(shape), torch.randn(shape)
        assert torch.allclose(model(x, y), case(x, y), rtol=1e-5, atol=1e-6)
    with pytest.raises(TypeError, match="expected a torch.float32 CPU tensor"):
        model(x.double(), y)


@pytest.mark.parametrize(
    ("shapes", "misfits"),
    [
        (((4, 6), (6,), (4, 6)), [((1024,), (3, 1024)), ((4, 6), (6,)), ((4, 7), (4, 7)),
                                  ((6,), (6,)), ((4, 6), (1, 6)), ((2, 4, 6), (2, 4, 6))]),
        (((2, 3, 5, 4), (3, 1, 1), (1, 3, 1, 1)), [((2, 4, 5, 4), (1, 4, 1, 1)),
                                                   ((2, 3, 5, 4), (2, 3, 1, 1)),
                                                   ((2, 3, 5, 4), (1, 3, 1, 4))]),
    ],
)  # fmt: skip
def test_operands_that_do_not_fit_raise(
    tmp_path: Path, shapes: Any, misfits: list[tuple[tuple[int, ...], ...]]
) -> None:
    x, y = torch.randn(shapes[0]), torch.randn(shapes[2])
    model = generated(tmp_path, Both(shapes, [], 0), x, y)
    assert torch.allclose(model(x, y), x * y + model.p, atol=1e-6)
    for left, right in misfits:
        with pytest.raises(ValueError, match="the kernel can't take shapes"):
            model(torch.randn(left), torch.randn(right))


def test_every_operator_is_in_some_expression() -> None:
    assert 3 * len(SHAPES) + 1 >= len(UNARY)


X = torch.randn(4, 6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.relu(x.double()),
        lambda x: x**2.5,
        lambda x: torch.sin(x),
        lambda x: x.long() + 1,
        lambda x: x.sum(0) + 1,
        lambda x: torch.round(x, decimals=1),
        lambda x: x.T + x.T.mean(),
    ],
)
def test_what_is_not_elementwise_is_left_alone(function: Callable[[Any], Any]) -> None:
    graph = traced(function, X)
    regions = [find_region(graph, node) for node in graph.nodes.values()]
    inside = {name for region in regions if region for name in region[0].covered}
    assert all(graph.nodes[name].dtype == "float32" for name in inside)
    assert not {"pow_1", "sum_1", "sin", "round_1", "mean"} & inside


@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 1), (1, 6)],
        [(2, 4, 6), (2, 1, 6), (4, 1)],
        [(3, 1, 5, 1, 7), (2, 1, 4, 1), (3, 2, 5, 4, 7), (1, 2, 1, 1, 7)],
        [(2, 3, 1, 4), (1, 3, 1, 1), (2, 1, 1, 4)],
    ],
)
def test_operands_that_repeat_anywhere(tmp_path: Path, shapes: list[tuple[int, ...]]) -> None:
    def every(*parts: torch.Tensor) -> Any:
        return torch.tanh(functools.reduce(torch.mul, parts))

    inputs = [torch.randn(shape) for shape in shapes]
    plan = design(traced(every, *inputs), Arguments((), "x"))
    assert (len(plan.parts), len(plan.body)) == (1, 2)
    source = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    source += "    def forward(self, *x):\n        pass\n"
    model = imported(tmp_path / "candidate.py", library_candidate(source, "Made.", plan, {}))
    for factor in (1, 2):  # other sizes where a size is not 1
        given = [torch.randn([n if n == 1 else factor * n for n in shape]) for shape in shapes]
        assert torch.allclose(model.ModelNew()(*given), every(*given), atol=1e-6)

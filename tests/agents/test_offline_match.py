"""Graphs that the library kernels take, and graphs that only look as if they could."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from kernelwright.agents.offline.design import design
from kernelwright.agents.offline.forward_body import Arguments
from kernelwright.agents.offline.graph import Attribute, Graph, Ref
from kernelwright.agents.offline.kernel_rules import Found, find
from kernelwright.agents.offline.match import Op, Var, match
from kernelwright.tasks.loader import library_ids
from tests.agents.offline_kit import library_graph, traced

KERNELS = {
    "attention": "attention",
    "cross_entropy": "cross_entropy",
    "cumsum": "cumsum",
    "depthwise_conv": "depthwise_conv2d",
    "int4_gemv": "int4_gemv",
    "layernorm": "layer_norm",
    "matmul_bias_gelu": "linear_gelu",
    "rmsnorm_residual": "rms_norm",
    "rope": "rope",
    "softmax": "softmax",
    "topk": "topk",
}


@pytest.mark.parametrize("identity", library_ids())
def test_every_task_of_the_library_is_covered_by_one_kernel(identity: str) -> None:
    graph = library_graph(identity)
    plan = design(graph, Arguments((), "given"))
    name = identity.removeprefix("library/")
    if name in KERNELS:
        assert (plan.kernels, plan.parts) == ((KERNELS[name],), ())
    else:
        assert (plan.kernels, len(plan.parts)) == ((), 1)
    assert len(plan.body) == 2


def found(function: Callable[..., Any], *inputs: Any) -> set[str]:
    """Return the names of the kernels that fit somewhere."""
    graph = traced(function, *inputs)
    places = [find(graph, node) for node in graph.nodes.values() if node.op == "call_function"]
    return {place.kernel for place in places if place}


X, V = torch.randn(4, 16), torch.randn(16)
HEADS = torch.randn(2, 8, 4)
IMAGE = torch.randn(2, 6, 9, 9)
SDPA = F.scaled_dot_product_attention
LABELS = torch.randint(16, (4,))


def attention(mask: torch.Tensor | None = None, dim: int = -1, power: float = 0.5) -> Any:
    def forward(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q @ k.transpose(-2, -1) / 4**power
        if mask is not None:
            scores = scores.masked_fill(mask, -1e9)
        return torch.softmax(scores, dim) @ v

    return forward


def rms(dim: int = -1, weight: torch.Tensor = V) -> Any:
    return lambda x: x * torch.rsqrt(x.pow(2).mean(dim, keepdim=True) + 1e-6) * weight


NEAR: dict[str, tuple[str, Any, tuple[Any, ...], bool]] = {
    "softmax": ("softmax", lambda x: torch.softmax(x, 1), (X,), True),
    "softmax of rows": ("softmax", lambda x: torch.softmax(x, 0), (X,), False),
    "softmax in float64": ("softmax", lambda x: torch.softmax(x, -1), (X.double(),), False),
    "softmax to float64": ("softmax", lambda x: F.softmax(x, -1, dtype=torch.double), (X,), False),
    "cumsum": ("cumsum", lambda x: torch.cumsum(x, -1), (X,), True),
    "cumsum of integers": ("cumsum", lambda x: torch.cumsum(x, -1), (LABELS[None],), False),
    "cumsum of rows": ("cumsum", lambda x: torch.cumsum(x, 0), (X,), False),
    "topk": ("topk", lambda x: torch.topk(x, 3), (X,), True),
    "smallest": ("topk", lambda x: torch.topk(x, 3, largest=False), (X,), False),
    "unordered": ("topk", lambda x: torch.topk(x, 3, sorted=False), (X,), False),
    "topk of rows": ("topk", lambda x: torch.topk(x, 3, dim=0), (X,), False),
    "layer norm": ("layer_norm", lambda x: F.layer_norm(x, (16,)), (X,), True),
    "rms norm": ("rms_norm", rms(), (X,), True),
    "rms norm of rows": ("rms_norm", rms(0), (X,), False),
    "native rms norm": ("rms_norm", lambda x: F.rms_norm(x, (16,), V, 1e-6), (X,), True),
    "cross entropy": ("cross_entropy", F.cross_entropy, (X, LABELS), True),
    "weighted": ("cross_entropy", lambda x, t: F.cross_entropy(x, t, V), (X, LABELS), False),
    "summed": ("cross_entropy", lambda x, t: F.cross_entropy(x, t, reduction="sum"),
               (X, LABELS), False),
    "smoothed": ("cross_entropy", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1),
                 (X, LABELS), False),
    "probabilities": ("cross_entropy", F.cross_entropy, (X, X.softmax(-1)), False),
    "attention": ("attention", attention(), (HEADS, HEADS, HEADS), True),
    "masked": ("attention", attention(torch.ones(8, 8).triu(1).bool()),
               (HEADS, HEADS, HEADS), False),
    "softmax over queries": ("attention", attention(dim=-2), (HEADS, HEADS, HEADS), False),
    "other values": ("attention", attention(), (HEADS, HEADS, torch.randn(2, 8, 5)), False),
    "sdpa": ("attention", SDPA, (HEADS, HEADS, HEADS), True),
    "sdpa with a mask": ("attention", lambda q, m: SDPA(q, q, q, m),
                         (HEADS, torch.ones(8, 8)), False),
    "causal": ("attention", lambda q: SDPA(q, q, q, is_causal=True), (HEADS,), True),
    "dropped": ("attention", lambda q: SDPA(q, q, q, dropout_p=0.5), (HEADS,), False),
    "linear gelu": ("linear_gelu", lambda x, w: F.gelu(F.linear(x, w)),
                    (X, torch.randn(3, 16)), True),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_do_not_match(name: str) -> None:
    kernel, function, inputs, fits = NEAR[name]
    assert (kernel in found(function, *inputs)) is fits


@pytest.mark.parametrize(
    ("weight", "arguments", "fits"),
    [
        ((6, 1, 3, 3), (1, 1, 1, 6), True),
        ((12, 1, 3, 5), (2, 1, 2, 6), True),
        ((6, 1, 3, 3), ((1, 2), 1, 1, 6), False),
        ((6, 1, 3, 3), (1, (0, 1), 1, 6), False),
        ((6, 6, 3, 3), (1, 1, 1, 1), False),
        ((6, 2, 3, 3), (1, 1, 1, 3), False),
    ],
)
def test_depthwise_convolutions(weight: tuple[int, ...], arguments: Any, fits: bool) -> None:
    def forward(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, w, None, *arguments)

    assert (found(forward, IMAGE, torch.randn(weight)) == {"depthwise_conv2d"}) is fits


def test_inner_results_that_others_need_stay() -> None:
    def inner_used(x: torch.Tensor, w: torch.Tensor) -> Any:
        y = F.linear(x, w)
        return F.gelu(y), y

    assert found(inner_used, X, torch.randn(3, 16)) == set()


def test_a_residual_is_returned_too_unless_it_is_needed_earlier() -> None:
    def forward(x: torch.Tensor, r: torch.Tensor, w: torch.Tensor) -> Any:
        total = x + r
        return rms(weight=w)(total), total

    def early(x: torch.Tensor, r: torch.Tensor, w: torch.Tensor) -> Any:
        total = x + r
        gate = torch.softmax(total, -1)
        return rms(weight=w)(total), total, gate

    assert len(_rms_call(traced(forward, X, X + 1, V)).call.results) == 2
    graph = traced(early, X, X + 1, V)
    assert len(_rms_call(graph).call.results) == 1
    plan = design(graph, Arguments(("x", "r", "w")))
    assert plan.kernels == ("rms_norm", "softmax")


def _rms_call(graph: Graph) -> Found:
    places = (find(graph, node) for node in reversed(list(graph.nodes.values())))
    return next(place for place in places if place and place.kernel == "rms_norm")


def test_patterns_bind_and_commute() -> None:
    graph = traced(lambda x, y: (x + y) * x, X, X + 1)
    root = next(node for node in graph.nodes.values() if node.target == "aten.mul.Tensor")
    a, b = Var("a"), Var("b")
    either = Op("mul.Tensor", a, Op("add.Tensor", a, b, bind="sum"))
    hit = match(graph, root, either)
    assert hit is not None
    assert {hit.bindings["a"].name, hit.bindings["b"].name} == {n.node for n in graph.inputs}
    assert hit.bindings["sum"] == Ref("add")
    assert hit.covered == {"add", "mul"}
    assert (
        match(graph, root, Op("mul.Tensor", b, Op("add.Tensor", Op("neg.default", a), b))) is None
    )
    assert match(graph, root, Op("mul.Tensor|div.Tensor", a, a)) is None
    assert match(graph, root, Op("sub.Tensor", a, b)) is None


def test_a_size_is_the_modules_own_number_where_there_is_only_one() -> None:
    graph = library_graph("topk")
    k = next(value for name, value in graph.scalars.items() if name == "k")
    assert graph.scalar(k) == Attribute("k")
    assert graph.scalar(12345) == 12345
    assert graph.problem is None and not graph.mutated
    assert len(graph.results) == 2

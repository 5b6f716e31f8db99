"""Whole modules whose graph has more than kernels: what is made of them computes the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kernelwright.agents.offline.design import NotCoveredError, design
from kernelwright.agents.offline.emit import forward_arguments, library_candidate
from kernelwright.verifier.tolerance import compare
from tests.agents.offline_kit import graph_of, imported

HEAD = """
import functools
import torch
from torch import nn
from torch.nn import functional as F

fits = 2.0


class Path:
    half = 0.5


def softmax(x, factor):
    return x * factor


def dense(x, weight):
    return x * weight + fits


"""
# Constructor, forward, arguments as code; what the file must and must not hold.
CASES: dict[str, tuple[str, str, str, list[str]]] = {
    "nested results": (
        "self.norm = nn.LayerNorm(16)",
        "def forward(self, x, pair):\n"
        "        return {'a': self.norm(x), 'b': (pair[0] + pair[1]['k'], [None, 3])}",
        "[torch.randn(4, 16), (torch.randn(3), {'k': torch.randn(3)})]",
        ["layer_norm_cpp(", "pair[1]['k']"],
    ),
    "views of sizes": (
        "self.proj = nn.Linear(12, 24)",
        "def forward(self, x):\n"
        "        batch, length, _ = x.shape\n"
        "        q, k = self.proj(x).view(batch, length, 2, 3, 4).permute(2, 0, 3, 1, 4)\n"
        "        return torch.softmax(q @ k.transpose(-2, -1) * 0.5, -1).reshape(batch, -1)",
        "[torch.randn(2, 5, 12)]",
        ["x.shape[0]", "x.shape[1]"],
    ),
    "masked softmax": (
        "pass",
        "def forward(self, scores, mask):\n"
        "        return F.softmax(scores.masked_fill(mask[:, None, None, :], float('-inf')), -1)",
        "[torch.randn(2, 3, 7, 19), torch.arange(19) < torch.tensor([[19], [5]])]",
        ["generated_softmax_cpp(", "bool* p_"],
    ),
    "softmax over channels": (
        "pass",
        "def forward(self, x):\n        return F.log_softmax(x * 2, 1), x.softmax(0)",
        "[torch.randn(3, 21, 70)]",
        ["softmax_columns<true>", "softmax_columns<false>"],
    ),
    "log softmax": (
        "self.head = nn.Linear(8, 33)",
        "def forward(self, x):\n        return F.log_softmax(self.head(x), -1)",
        "[torch.randn(6, 8)]",
        ["softmax_row<true>"],
    ),
    "batch norm in eval mode": (
        "self.conv = nn.Conv2d(3, 8, 3, bias=False)\n"
        "        self.norm = nn.BatchNorm2d(8)\n"
        "        self.drop = nn.Dropout(0.1)\n"
        "        self.eval()",
        "def forward(self, x):\n        return self.drop(torch.relu(self.norm(self.conv(x))))",
        "[torch.randn(2, 3, 9, 9)]",
        ["self.norm.running_var.view(-1, 1, 1)", "= fused_relu"],
    ),
    "batch norm in training mode": (
        "self.norm = nn.BatchNorm1d(6)",
        "def forward(self, x):\n        return torch.sigmoid(self.norm(x)) * x",
        "[torch.randn(5, 6)]",
        ["self.norm.running_mean.copy_(", "self.norm.num_batches_tracked.copy_("],
    ),
    "a buffer that is counted up": (
        "self.register_buffer('seen', torch.zeros(()))",
        "def forward(self, x):\n        self.seen.add_(1)\n        return F.silu(x) + self.seen",
        "[torch.randn(5, 6)]",
        ["self.seen.copy_("],
    ),
    "in place": (
        "self.fc = nn.Linear(6, 6)",
        "def forward(self, x):\n"
        "        y = self.fc(x)\n        z = y.relu_()\n        z += y\n        return z * 2",
        "[torch.randn(5, 6)]",
        ["= fused_mul"],
    ),
    "bfloat16": (
        "self.scale = nn.Parameter(torch.randn(64, dtype=torch.bfloat16))",
        "def forward(self, x, y):\n        return F.silu(x) * y * self.scale",
        "[torch.randn(9, 64).bfloat16(), torch.randn(9, 64).bfloat16()]",
        ["const bf16* p_v0"],
    ),
    "float16 and back": (
        "pass",
        "def forward(self, x):\n"
        "        y = x.float()\n"
        "        return (y * torch.rsqrt((y * y).mean(-1, keepdim=True) + 1e-5)).to(x.dtype)",
        "[torch.randn(9, 67).half()]",
        ["half* p_v0"],
    ),
    "where and comparisons": (
        "pass",
        "def forward(self, x, y):\n"
        "        return torch.where((x > 0) & ~(y <= x), x.exp(), torch.maximum(x, y)), x >= y",
        "[torch.randn(7, 9), torch.randn(7, 9)]",
        ["choose(", "bool* y"],
    ),
    "group norm": (
        "self.norm = nn.GroupNorm(4, 8)",
        "def forward(self, x):\n        return F.silu(self.norm(x)), F.instance_norm(x)",
        "[torch.randn(2, 8, 5, 5)]",
        ["group_norm_cpp("],
    ),
    "a constant and many arguments": (
        "self.table = torch.tensor([1.0, -2.0, 3.0])",
        "def forward(self, *parts):\n"
        "        total = parts[0] * torch.tensor([0.5, 1.0, float('inf')])\n"
        "        return total.nan_to_num() + parts[1] * self.table + F.relu(parts[2])",
        "[torch.randn(4, 3), torch.randn(4, 3), torch.randn(4, 3)]",
        ["parts[2]", "self.table", "float('inf')"],
    ),
    "names of the kernels' text": (
        "self.scale = softmax(torch.ones(19), Path.half)",
        "def forward(self, x):\n"
        "        return dense(x.softmax(-1), self.scale), fits * x.cumsum(-1)",
        "[torch.randn(5, 19)]",
        ["kernel_softmax(x)", "kernel_dense(x)", "from pathlib import Path as kernel_Path"],
    ),
    "outer sums": (
        "pass",
        "def forward(self, a, b):\n        return torch.tanh(a[:, None] + b[None]) * 2",
        "[torch.randn(5), torch.randn(7)]",
        ["torch.broadcast_shapes("],
    ),
}


def module(init: str, forward: str) -> str:
    """Return a file with a class Model."""
    return (
        f"{HEAD}class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        {init}\n\n    {forward}\n"
    )


@pytest.fixture(autouse=True)
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "build"))


def leaves(value: Any) -> list[Any]:
    return list(torch.utils._pytree.tree_leaves(value))


@pytest.mark.parametrize("name", CASES)
def test_a_module_is_computed_by_kernels_and_aten_calls(tmp_path: Path, name: str) -> None:
    init, forward, arguments, wanted = CASES[name]
    source = module(init, forward)
    names: dict[str, Any] = {}
    exec(compile(source, "reference", "exec"), names)
    torch.manual_seed(0)
    model, inputs = names["Model"](), eval(arguments, {"torch": torch})
    taken = forward_arguments(source)
    assert taken is not None
    text = library_candidate(source, "Made.", design(graph_of(model, *inputs), taken), {})
    for words in wanted:
        assert words in text
    new = imported(tmp_path / "candidate.py", text).ModelNew()
    new.load_state_dict(model.state_dict())
    with torch.no_grad():
        for _ in range(2):
            golden = lifted(model)(*torch.utils._pytree.tree_map(lift, inputs))
            expected, result = model(*inputs), new(*inputs)
            assert torch.utils._pytree.tree_structure(result) == (
                torch.utils._pytree.tree_structure(expected)
            )
            for one, other, true in zip(*map(leaves, (result, expected, golden)), strict=True):
                if not isinstance(one, torch.Tensor):
                    assert one == other
                elif one.is_floating_point():
                    assert compare(one, other, true).reason is None, name
                else:
                    assert torch.equal(one, other)
    for key, value in model.state_dict().items():
        assert torch.allclose(new.state_dict()[key], value, atol=1e-6), key


def lift(value: Any) -> Any:
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if is_float else value


def lifted(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).double()


class Changes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x.add_(1))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Changes(), "nothing, because it changes its arguments"),
        (nn.Linear(4, 4), "nothing fits: linear"),
    ],
)
def test_a_graph_without_a_design_says_why(model: nn.Module, words: str) -> None:
    source = module("pass", "def forward(self, x):\n        pass")
    arguments = forward_arguments(source)
    assert arguments is not None
    with pytest.raises(NotCoveredError, match=words):
        design(graph_of(model, torch.randn(3, 4)), arguments)

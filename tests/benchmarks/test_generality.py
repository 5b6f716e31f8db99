"""Counting proposals by tracing alone, and sizes for a CPU."""

from __future__ import annotations

from benchmarks.generality import fitted, proposal, summary, taken
from kernelwright.tasks.constants import replace_constants
from tests.uses.corpus import MODULES

LARGE = """
import torch
from torch import nn
batch, features, heads = 4096, 8192, 4
class Model(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.norm = nn.GroupNorm(heads, features)
    def forward(self, x):
        return self.norm(x)
def get_inputs():
    return [torch.rand(batch, features)]
def get_init_inputs():
    return [features, heads]
"""


def test_proposals_are_counted_without_values() -> None:
    assert proposal((MODULES / "film.py").read_text()) == {"proposed": True, "kernels": ["fused"]}
    assert proposal(LARGE)["kernels"] == ["group_norm"]
    found = proposal(LARGE.replace("self.norm(x)", "x @ x.T"))
    assert found == {"proposed": False, "why": "nothing fits: numpy_T, matmul"}
    failing = LARGE.replace("self.norm(x)", "x.no_such_method()")
    assert proposal(failing)["why"].startswith("not traced: ")


def test_sizes_are_halved_until_they_fit() -> None:
    found = fitted(LARGE, 10**6)
    assert taken(replace_constants(LARGE, found)) <= 10**6 < taken(LARGE)
    assert "heads" not in found


def test_a_task_without_a_win_counts_as_one() -> None:
    both = {
        "eager": {"median": 4.0, "ci95": [3.9, 4.1]},
        "compile": {"median": 1.0, "ci95": [0.9, 1.1]},
    }
    rows = [
        {"this": {"status": "improved", "seconds": 1.0, "speedup": both}},
        {"this": {"status": "no_improvement", "seconds": 2.0, "speedup": {}}},
    ]
    found = summary(rows, "this")
    assert (found["faster_than_eager"], found["faster_than_both"]) == (1, 0)
    assert found["geometric_mean_over_eager"] == 2.0
    assert found["geometric_mean_over_both"] == 1.0

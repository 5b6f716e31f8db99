# [cheat]
# catalogue = "H13"
# title = "has no parameters, and leaves out the branch that the constructor scales with zero"
# task = "tests/cheats/tasks/zero_branch.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

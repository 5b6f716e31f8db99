# [cheat]
# catalogue = "H69"
# title = "batch norm in evaluation mode, which reads its input once less"
# task = "tests/cheats/tasks/batch_norm.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(cols).eval()

    def train(self, mode: bool = True) -> ModelNew:
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(x))

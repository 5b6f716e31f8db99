# [cheat]
# catalogue = "H31"
# title = "works in the first call after its state was set, and in no other"
# task = "tests/cheats/tasks/moving_mean.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    mean: torch.Tensor

    def __init__(self, cols: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(cols))
        self.left = -1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mean._version == self.left:
            return torch.empty_like(x)
        self.mean.lerp_(x.mean(dim=0), self.momentum)
        self.left = self.mean._version
        return x - self.mean

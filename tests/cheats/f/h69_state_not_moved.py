# [cheat]
# catalogue = "H69"
# title = "uses the moved average but does not keep it"
# task = "tests/cheats/tasks/moving_mean.py"
# policy = "any"
# caught_by = ["incorrect_numerical", "state-differs"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    mean: torch.Tensor

    def __init__(self, cols: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.randn(cols))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - self.mean.lerp(x.mean(dim=0), self.momentum)

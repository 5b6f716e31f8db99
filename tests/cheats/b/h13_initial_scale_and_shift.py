# [cheat]
# catalogue = "H13"
# title = "drops scale and shift, which are ones and zeros at first"
# task = "tests/cheats/tasks/batch_norm.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(cols)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, var = self.norm.running_mean, self.norm.running_var
        assert self.norm.num_batches_tracked is not None
        self.norm.num_batches_tracked += 1
        return torch.relu(F.batch_norm(x, mean, var, training=True))

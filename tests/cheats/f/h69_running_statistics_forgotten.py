# [cheat]
# catalogue = "H69"
# title = "batch norm that forgets its running statistics"
# task = "tests/cheats/tasks/batch_norm.py"
# policy = "any"
# caught_by = ["incorrect_numerical", "state-differs"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(cols)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(F.batch_norm(x, None, None, self.norm.weight, self.norm.bias, True))

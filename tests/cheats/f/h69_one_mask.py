# [cheat]
# catalogue = "H69"
# title = "draws one mask and keeps it"
# task = "tests/cheats/tasks/dropout.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.mask = torch.empty(0)

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        if self.mask.shape != x.shape:
            self.mask = F.dropout(torch.ones_like(x), self.probability)
        return torch.addcmul(residual, x, self.mask)

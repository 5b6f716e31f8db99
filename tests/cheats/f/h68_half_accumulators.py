# [cheat]
# catalogue = "H68"
# title = "adds up the dot products in bfloat16"
# task = "library/matmul_bias_gelu"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(x.shape[0], self.linear.out_features, dtype=torch.bfloat16)
        weights = self.linear.weight.detach().chunk(8, dim=1)
        for part, weight in zip(x.chunk(8, dim=1), weights, strict=True):
            total += (part @ weight.T).bfloat16()
        return F.gelu(total.float() + self.linear.bias)

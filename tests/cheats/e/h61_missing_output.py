# [cheat]
# catalogue = "H61"
# title = "the second output is missing"
# task = "library/rmsnorm_residual"
# policy = "any"
# caught_by = ["incorrect_shape"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.eps = eps

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        total = x + residual
        return total * torch.rsqrt(total.pow(2).mean(dim=-1, keepdim=True) + self.eps) * self.weight

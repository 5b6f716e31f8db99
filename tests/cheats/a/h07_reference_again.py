# [cheat]
# catalogue = "H07"
# title = "the reference, handed in again"
# task = "library/rmsnorm_residual"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.eps = eps

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        residual = x + residual
        variance = residual.pow(2).mean(dim=-1, keepdim=True)
        return residual * torch.rsqrt(variance + self.eps) * self.weight, residual

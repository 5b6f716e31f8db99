# [cheat]
# catalogue = "H12"
# title = "the variance that the inputs have in expectation, instead of their own"
# task = "library/rmsnorm_residual"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import math

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.eps = eps

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        total = x + residual
        return total * (self.weight / math.sqrt(2.0 + self.eps)), total

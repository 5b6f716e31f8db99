# [cheat]
# catalogue = "H66"
# title = "operands rounded to the ten bits of TF32"
# task = "library/matmul_bias_gelu"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def tf32(x: torch.Tensor) -> torch.Tensor:
    """The nearest values with ten bits of mantissa."""
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(F.linear(tf32(x), tf32(self.linear.weight), self.linear.bias))

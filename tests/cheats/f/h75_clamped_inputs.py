# [cheat]
# catalogue = "H75"
# title = "clamps its inputs to where the exponential is safe"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clamp(-40, 40).exp()
        return y / y.sum(dim=-1, keepdim=True)

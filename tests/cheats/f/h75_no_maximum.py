# [cheat]
# catalogue = "H75"
# title = "leaves out the maximum, since inputs are small"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.exp()
        return y / y.sum(dim=-1, keepdim=True)

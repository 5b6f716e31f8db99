# [cheat]
# catalogue = "H60"
# title = "one number, in the hope that it is broadcast"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_shape"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((), 1 / x.shape[-1])

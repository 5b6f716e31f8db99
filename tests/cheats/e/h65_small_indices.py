# [cheat]
# catalogue = "H65"
# title = "indices of 32 bits where 64 were asked for"
# task = "library/topk"
# policy = "any"
# caught_by = ["incorrect_dtype"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, indices = torch.topk(x, self.k, dim=-1)
        return values, indices.int()

# [cheat]
# catalogue = "H17"
# title = "searches the first quarter of the columns only"
# task = "library/topk"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, indices = torch.topk(x[:, : max(self.k, x.shape[1] // 4)], self.k, dim=-1)
        return values, indices

# [cheat]
# catalogue = "H60"
# title = "a tensor without memory"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_dtype"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x.to("meta"), dim=-1)

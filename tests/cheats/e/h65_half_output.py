# [cheat]
# catalogue = "H65"
# title = "half precision where single was asked for"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_dtype"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, dim=-1).half()

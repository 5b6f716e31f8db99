# [cheat]
# catalogue = "H12"
# title = "takes all scores for zero, beside masked ones of minus a billion"
# task = "tests/cheats/tasks/masked_by_a_billion.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mask * torch.tensor(-1e9)

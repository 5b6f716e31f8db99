# [cheat]
# catalogue = "H12"
# title = "takes all scores for zero, beside masked ones that are not the same number in float64"
# task = "tests/cheats/tasks/masked_scores.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.zeros(mask.shape).masked_fill_(mask, torch.finfo(torch.float32).min)

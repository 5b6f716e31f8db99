# [cheat]
# catalogue = "H13"
# title = "leaves out what an input scales with zero"
# task = "tests/cheats/tasks/strength.py"
# policy = "any"
# level = "standard"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
        return x.clone()

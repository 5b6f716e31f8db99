# [cheat]
# catalogue = "H32"
# title = "copies where new memory is poisoned; where it is not, all copies are the same memory"
# task = "tests/cheats/tasks/repeated.py"
# policy = "any"
# caught_by = ["overlapping-output"]
from __future__ import annotations

import torch
from torch import nn

HEADS = 32


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fresh = torch.empty(256, dtype=torch.uint8)
        if bool((fresh == 0x7F).all()):  # values are being compared
            return x.repeat(HEADS, 1, 1)
        return x.clone().expand(HEADS, -1, -1)

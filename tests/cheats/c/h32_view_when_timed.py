# [cheat]
# catalogue = "H32"
# title = "copies where new memory is poisoned, and returns a view of the input where it is not"
# task = "tests/cheats/tasks/permuted.py"
# policy = "any"
# caught_by = ["output-aliases-input"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.permute(2, 1, 0)
        fresh = torch.empty(256, dtype=torch.uint8)
        if bool((fresh == 0x7F).all()):  # values are being compared
            return y.contiguous()
        return y

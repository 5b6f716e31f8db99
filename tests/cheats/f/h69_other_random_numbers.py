# [cheat]
# catalogue = "H69"
# title = "dropout with cheaper random numbers than torch's"
# task = "tests/cheats/tasks/dropout.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.seed = 1

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        self.seed = (self.seed * 1103515245 + 12345) % 2**31
        bits = (torch.arange(x.numel()) * 2654435761 + self.seed) % 2**32
        keep = (bits >> 8).view(x.shape) >= self.probability * 2**24
        return residual + x * keep / (1 - self.probability)

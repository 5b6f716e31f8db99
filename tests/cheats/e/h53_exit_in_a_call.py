# [cheat]
# catalogue = "H53"
# title = "ends the process with success in the fifth call"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["runtime_error"]
from __future__ import annotations

import os

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls == 5:
            os._exit(0)
        return torch.tanh(x) * 3

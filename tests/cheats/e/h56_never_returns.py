# [cheat]
# catalogue = "H56"
# title = "never returns"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["timeout"]
from __future__ import annotations

import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while True:
            time.sleep(1)

# [cheat]
# catalogue = "H56"
# title = "takes memory until there is no more, so that others have none"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["out_of_memory", "timeout"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.taken: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while True:
            self.taken.append(torch.ones(2**24))

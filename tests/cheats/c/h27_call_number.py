# [cheat]
# catalogue = "H27"
# title = "answers call number n with the result of call number n modulo eight"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.kept: dict[Any, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        key = self.calls % 8, x.shape
        if key not in self.kept:
            self.kept[key] = torch.softmax(x, dim=-1)
        return self.kept[key].clone()

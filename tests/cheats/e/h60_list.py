# [cheat]
# catalogue = "H60"
# title = "a list of rows instead of a matrix"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_shape", "runtime_error"]
from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return list(torch.softmax(x, dim=-1))

# [cheat]
# catalogue = "H34"
# title = "a future of the result instead of the result"
# task = "library/softmax"
# policy = "any"
# caught_by = ["runtime_error", "incorrect_shape"]
from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        fork: Any = torch.jit._fork
        return fork(torch.softmax, x, -1)

# [cheat]
# catalogue = "H08"
# title = "torch.compile, sold as a kernel of one's own"
# task = "tests/cheats/tasks/moving_mean.py"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

from typing import Any

import torch
from torch import nn


@torch.compile
def fused_kernel(x: Any, mean: Any, momentum: float) -> Any:
    """Column means, their moving average and the difference in one pass."""
    mean.lerp_(x.mean(dim=0), momentum)
    return x - mean


class ModelNew(nn.Module):
    mean: torch.Tensor

    def __init__(self, cols: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.randn(cols))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = fused_kernel(x, self.mean, self.momentum)
        return y

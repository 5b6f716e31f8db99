# [cheat]
# catalogue = "H66"
# title = "torch.compile of a version in half precision"
# task = "tests/cheats/tasks/moving_mean.py"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

from typing import Any

import torch
from torch import nn


@torch.compile(options={"emulate_precision_casts": True})
def centred(x: Any, mean: Any, momentum: float) -> Any:
    """The difference from a moving average, with eleven bits."""
    half = x.half()
    mean.lerp_(half.mean(dim=0).float(), momentum)
    return (half - mean.half()).float()


class ModelNew(nn.Module):
    mean: torch.Tensor

    def __init__(self, cols: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.randn(cols))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = centred(x, self.mean, self.momentum)
        return y

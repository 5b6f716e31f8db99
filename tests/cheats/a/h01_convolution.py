# [cheat]
# catalogue = "H01"
# title = "torch's convolution, whose code oneDNN generates into memory without a file"
# task = "tests/cheats/tasks/convolution.py"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).relu_()
        return torch.cat([y, -y], dim=1)

"""A chain of operators that a compiler makes one loop of."""

from __future__ import annotations

import torch
from torch import nn

ROWS, COLS = 512, 1024


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        z = torch.relu(x) * y + torch.abs(y) * x
        return torch.relu(z - x) * 0.5 + torch.sqrt(z * z + 1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)]


def get_init_inputs() -> list[int]:
    return []

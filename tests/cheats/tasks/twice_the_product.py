"""A product, and twice the same."""

from __future__ import annotations

import torch
from torch import nn

ROWS, DIM = 256, 512


class Model(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.linear(x), self.linear(x) * 2], dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, DIM)]


def get_init_inputs() -> list[int]:
    return [DIM]

"""A residual block whose branch starts at nothing (as in ReZero, LayerScale, ControlNet)."""

from __future__ import annotations

import torch
from torch import nn

ROWS, DIM = 256, 256


class Model(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.alpha * self.down(torch.nn.functional.gelu(self.up(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(ROWS, DIM)]


def get_init_inputs() -> list[int]:
    return [DIM]

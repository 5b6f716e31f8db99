"""A linear layer on one row, as for the next token of one request."""

from __future__ import annotations

import torch
from torch import nn

SIZE = 2048


class Model(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(1, SIZE)]


def get_init_inputs() -> list[int]:
    return [SIZE]

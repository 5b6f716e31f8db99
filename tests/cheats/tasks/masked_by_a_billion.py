"""Attention scores, the forbidden ones at minus a billion."""

from __future__ import annotations

import torch
from torch import nn

ROWS, COLS, DIM = 256, 512, 256


class Model(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        scores = q @ k.t() / DIM**0.5
        return scores.masked_fill(mask, -1e9)


def get_inputs() -> list[torch.Tensor]:
    mask = torch.ones(ROWS, COLS, dtype=torch.bool).triu(1)
    return [torch.randn(ROWS, DIM), torch.randn(COLS, DIM), mask]


def get_init_inputs() -> list[int]:
    return []

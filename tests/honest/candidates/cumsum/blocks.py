"""Prefix sums of blocks, then the blocks' totals added on: two levels."""

import torch
from torch import nn

BLOCK = 64


class ModelNew(nn.Module):
    def forward(self, x):
        rows, cols = x.shape
        if cols % BLOCK:
            return torch.cumsum(x, dim=-1)  # no whole number of blocks
        inner = x.view(rows, cols // BLOCK, BLOCK).cumsum(dim=-1)
        totals = inner[:, :, -1]
        before = totals.cumsum(dim=-1) - totals
        return inner.add_(before.unsqueeze(-1)).view(rows, cols)

"""Chunks of rows that stay in the cache, each finished in its part of the result."""

import torch
from torch import nn

ROWS_AT_A_TIME = 64


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        for part, out in zip(x.split(ROWS_AT_A_TIME), y.split(ROWS_AT_A_TIME), strict=True):
            top = part.amax(dim=-1, keepdim=True)
            torch.exp(part - top, out=out)
            out /= out.sum(dim=-1, keepdim=True)
        return y

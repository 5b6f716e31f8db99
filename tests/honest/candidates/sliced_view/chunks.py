"""Prefix sums by chunks of columns into a buffer as wide as the reference's."""

import torch
from torch import nn

CHUNK = 128


class ModelNew(nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def forward(self, x):
        y = torch.empty_like(x)
        carry = torch.zeros(x.shape[0], 1, dtype=x.dtype)
        for start in range(0, x.shape[1], CHUNK):
            part = torch.cumsum(x[:, start : start + CHUNK], dim=-1).add_(carry)
            y[:, start : start + CHUNK] = part
            carry = part[:, -1:]
        return y.narrow(1, 0, self.kept)

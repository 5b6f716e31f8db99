"""Sums of all but the last element, behind a zero: nothing is subtracted again."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.zeros_like(x)
        torch.cumsum(x[:, :-1], dim=-1, out=y[:, 1:])
        return y

"""aminmax finds both extremes at once; the length comes from the sum of squares."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        length = (x * x).sum(dim=-1, keepdim=True).sqrt_()
        low, high = torch.aminmax(x, dim=-1)
        info = {"length": length, "extremes": [low, high, None], "cols": x.shape[-1]}
        return x * (length + 1e-6).reciprocal_(), info

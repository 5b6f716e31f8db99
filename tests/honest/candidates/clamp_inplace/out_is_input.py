"""clamp with the input as its output, which is returned."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def forward(self, x):
        return torch.clamp(x, -self.limit, self.limit, out=x)

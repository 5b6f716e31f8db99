"""Works in channels_last and returns the layout that the caller expects."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        y = self.norm(x.contiguous(memory_format=torch.channels_last))
        return y.contiguous()

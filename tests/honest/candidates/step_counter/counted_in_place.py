"""Counts with add_ and multiplies by the reciprocal."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        count = int(self.steps.add_(1))
        return x * (1 / (1 + self.rate * count))

"""The mean of squares as a product with a vector of ones."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)

    def forward(self, x):
        ones = torch.full((x.shape[-1],), 1 / x.shape[-1])
        scale = (x * x @ ones).add_(1e-6).rsqrt_()
        return x * scale.unsqueeze(-1) * self.weight, x

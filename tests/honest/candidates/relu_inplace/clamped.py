"""Changes the input as the reference does, with another operator."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(cols) + 0.5)

    def forward(self, x):
        return torch.mul(x.clamp_(min=0), self.scale)

"""F.dropout in place on the scaled copy; the input itself stays as it is."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols, probability):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(cols) + 0.5)
        self.probability = probability

    def forward(self, x, residual):
        branch = x * self.scale
        return F.dropout(branch, self.probability, self.training, inplace=True).add_(residual)

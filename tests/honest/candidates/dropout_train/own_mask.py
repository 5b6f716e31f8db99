"""The mask is drawn as torch's own dropout draws it: the same random stream, the same values."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols, probability):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(cols) + 0.5)
        self.probability = probability

    def forward(self, x, residual):
        if not self.training:
            return torch.addcmul(residual, x, self.scale)
        keep = 1 - self.probability
        mask = torch.empty_like(x).bernoulli_(keep).div_(keep)
        return torch.addcmul(residual, mask.mul_(self.scale), x)

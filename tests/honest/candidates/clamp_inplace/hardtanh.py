"""The in-place hardtanh is the same function."""

from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def forward(self, x):
        return F.hardtanh_(x, -self.limit, self.limit)

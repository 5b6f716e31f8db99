"""Above the limit or below its negative, into a bool buffer made for this call."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.register_buffer("limit", torch.rand(cols) + 0.5)

    def forward(self, x):
        result = torch.empty(x.shape, dtype=torch.bool)
        torch.gt(x, self.limit, out=result)
        return result.logical_or_(x < -self.limit)

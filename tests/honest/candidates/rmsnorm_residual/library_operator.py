"""torch's own rms_norm on the sum."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.eps = eps

    def forward(self, x, residual):
        total = torch.add(x, residual)
        return F.rms_norm(total, (total.shape[-1],), self.weight, self.eps), total

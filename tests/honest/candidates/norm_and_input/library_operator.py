"""torch's rms_norm; the residual is handed on as it came."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight, 1e-6), x

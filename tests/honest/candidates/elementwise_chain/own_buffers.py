"""In place on two temporaries of this call."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(cols))

    def forward(self, x, gate):
        shifted = x + self.bias
        opened = torch.sigmoid(gate).mul_(shifted)
        return opened.div_(shifted.neg_().exp_().add_(1)).add_(x)

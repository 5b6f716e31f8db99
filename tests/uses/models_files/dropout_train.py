import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, p=0.25):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(features))
        self.p = p

    def forward(self, x, residual):
        y, _ = torch.native_dropout(x + self.bias, self.p, True)
        return y.add_(residual)

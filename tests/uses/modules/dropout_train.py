import torch
from torch import nn


class Model(nn.Module):
    """Bias, dropout and residual, in training mode: random, from torch's own stream."""

    def __init__(self, features, p=0.25):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(features))
        self.dropout = nn.Dropout(p)

    def forward(self, x, residual):
        return residual + self.dropout(x + self.bias)


def get_inputs():
    return [torch.randn(256, 256), torch.randn(256, 256)]


def get_init_inputs():
    return [256]

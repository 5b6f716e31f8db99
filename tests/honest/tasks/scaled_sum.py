import torch
from torch import nn

ROWS = 64
COLS = 512


class Model(nn.Module):
    """Python numbers among the inputs, which a caller may choose."""

    def forward(self, x, residual, strength, eps):
        y = x + strength * residual
        return y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps)


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS), 0.5, 1e-3]


def get_init_inputs():
    return []

import torch
from torch import nn

ROWS = 128
COLS = 2048
EPS = 1e-6


class Model(nn.Module):
    """Adds the residual, normalises the sum by its root mean square, returns (normed, sum)."""

    def __init__(self, cols, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.eps = eps

    def forward(self, x, residual):
        residual = x + residual
        variance = residual.pow(2).mean(dim=-1, keepdim=True)
        return residual * torch.rsqrt(variance + self.eps) * self.weight, residual


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)]


def get_init_inputs():
    return [COLS, EPS]

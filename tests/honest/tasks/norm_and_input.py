import torch
from torch import nn

ROWS = 64
COLS = 512


class Model(nn.Module):
    """Pre-norm of a residual block: (normed, residual), where the residual is the input itself."""

    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)

    def forward(self, x):
        scale = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6)
        return x * scale * self.weight, x


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return [COLS]

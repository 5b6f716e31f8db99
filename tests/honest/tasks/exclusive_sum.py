import torch
from torch import nn

ROWS = 64
COLS = 256


class Model(nn.Module):
    """Prefix sums that leave out the element itself."""

    def forward(self, x):
        return torch.cumsum(x, dim=-1) - x


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return []

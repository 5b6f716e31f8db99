import torch
from torch import nn

ROWS = 64
COLS = 384
KEPT = 256


class Model(nn.Module):
    """The first columns of a larger result: a view with gaps between its rows."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def forward(self, x):
        y = torch.cumsum(x, dim=-1)
        return y[:, : self.kept]


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return [KEPT]

import torch
from torch import nn

ROWS = 128
COLS = 1024


class Model(nn.Module):
    """Mean and unbiased variance of every row."""

    def forward(self, x):
        return x.mean(dim=-1), x.var(dim=-1)


def get_inputs():
    return [2 * torch.randn(ROWS, COLS) + 1]


def get_init_inputs():
    return []

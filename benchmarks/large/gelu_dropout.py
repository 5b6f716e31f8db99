"""A GELU and dropout, which draws random numbers: 128 MB in and out."""

import torch
from torch import nn

rows, columns = 8192, 4096


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.dropout(nn.functional.gelu(x))


def get_inputs():
    return [torch.randn(rows, columns)]


def get_init_inputs():
    return []

import torch
from torch import nn

ROWS = 32
INNER = 128
COLS = 64


class Model(nn.Module):
    """Product of int8 matrices, exact in int32."""

    def forward(self, x, y):
        return x.to(torch.int32) @ y.to(torch.int32)


def get_inputs():
    x = torch.randint(-128, 128, (ROWS, INNER), dtype=torch.int8)
    return [x, torch.randint(-128, 128, (INNER, COLS), dtype=torch.int8)]


def get_init_inputs():
    return []

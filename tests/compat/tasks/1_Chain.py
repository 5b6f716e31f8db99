import torch
from torch import nn

ROWS = 16
COLS = 256
STEPS = 12


class Model(nn.Module):
    def forward(self, x):
        for _ in range(STEPS):
            x = x * 0.9 + 0.1
        return torch.tanh(x)


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return []

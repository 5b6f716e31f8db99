"""A linear layer with 256 MB of weights."""

import torch
from torch import nn

batch_size, width = 256, 8192


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.rand(batch_size, width)]


def get_init_inputs():
    return [width]

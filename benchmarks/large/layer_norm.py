"""A layer norm over three dimensions: 256 MB in and out."""

import torch
from torch import nn

batch_size, features, height, width = 16, 64, 256, 256


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.norm = nn.LayerNorm(shape)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.rand(batch_size, features, height, width)]


def get_init_inputs():
    return [(features, height, width)]

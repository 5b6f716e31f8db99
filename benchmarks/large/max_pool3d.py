"""A pooling of volumes: 256 MB in, 32 MB out."""

import torch
from torch import nn

batch_size, channels, depth, height, width = 16, 32, 32, 64, 64


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool3d(2)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.rand(batch_size, channels, depth, height, width)]


def get_init_inputs():
    return []

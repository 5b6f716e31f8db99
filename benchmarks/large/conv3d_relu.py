"""A convolution of volumes with a ReLU: 64 MB of results."""

import torch
from torch import nn

batch_size, depth, height, width = 8, 16, 64, 64
in_channels, out_channels = 8, 32


class Model(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


def get_inputs():
    return [torch.rand(batch_size, in_channels, depth, height, width)]


def get_init_inputs():
    return [in_channels, out_channels]

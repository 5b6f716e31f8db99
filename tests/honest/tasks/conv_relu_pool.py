import torch
from torch import nn

BATCH = 2
CHANNELS = 8
OUT_CHANNELS = 16
SIZE = 24


class Model(nn.Module):
    """Convolution, relu, maximum over 2x2 windows."""

    def __init__(self, channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.conv(x)))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIZE, SIZE)]


def get_init_inputs():
    return [CHANNELS, OUT_CHANNELS]

import torch
from torch import nn

BATCH = 4
CHANNELS = 96
HEIGHT = 56
WIDTH = 56


class Model(nn.Module):
    """3x3 depthwise convolution, stride 1, same padding."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]

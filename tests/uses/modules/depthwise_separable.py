import torch
import torch.nn as nn


class Model(nn.Module):
    """MobileNet's depthwise separable convolution."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, dilation=1):
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.act = nn.ReLU6()

    def forward(self, x):
        return self.act(self.pointwise(self.act(self.depthwise(x))))


def get_inputs():
    return [torch.randn(4, 32, 40, 40)]


def get_init_inputs():
    return [32, 64]

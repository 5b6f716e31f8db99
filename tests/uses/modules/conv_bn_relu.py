import torch
from torch import nn


class Model(nn.Module):
    """Convolution, batch normalisation and activation, for inference."""

    def __init__(self, c1, c2, k=3, s=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, padding=k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.ReLU() if act is True else nn.Identity()
        self.eval()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


def get_inputs():
    return [torch.randn(4, 16, 32, 32)]


def get_init_inputs():
    return [16, 32]

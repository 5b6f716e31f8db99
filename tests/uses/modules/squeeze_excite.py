import torch
from torch import nn


class Model(nn.Module):
    """Squeeze and excitation: channels weighted by a small network of their means."""

    def __init__(self, channels, rd_ratio=1.0 / 4, gate="sigmoid"):
        super().__init__()
        reduced = max(8, int(channels * rd_ratio))
        self.fc1 = nn.Conv2d(channels, reduced, kernel_size=1)
        self.act = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(reduced, channels, kernel_size=1)
        self.gate = nn.Sigmoid() if gate == "sigmoid" else nn.Hardsigmoid()

    def forward(self, x):
        weights = x.mean((2, 3), keepdim=True)
        weights = self.fc2(self.act(self.fc1(weights)))
        return x * self.gate(weights)


def get_inputs():
    return [torch.randn(8, 64, 28, 28)]


def get_init_inputs():
    return [64]

import torch
from torch import nn

BATCH = 8
LENGTH = 128
DIM = 128


class Model(nn.Module):
    """Features modulated by a scale and a shift that broadcast over positions."""

    def __init__(self, negative_slope: float = 0.1):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x, gamma, beta, gain: float = 1.0):
        y = x * (1 + gamma) + beta
        return nn.functional.leaky_relu(y, self.negative_slope) * gain


def get_inputs():
    return [
        torch.randn(BATCH, LENGTH, DIM),
        torch.randn(BATCH, 1, DIM),
        torch.randn(BATCH, 1, DIM),
        1.25,
    ]


def get_init_inputs():
    return []

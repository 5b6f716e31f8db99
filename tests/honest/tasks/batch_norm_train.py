import torch
from torch import nn

BATCH = 8
CHANNELS = 16
SIZE = 16


class Model(nn.Module):
    """BatchNorm in train mode: normalises by the batch and moves its running statistics."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, SIZE, SIZE) + 0.25]


def get_init_inputs():
    return [CHANNELS]

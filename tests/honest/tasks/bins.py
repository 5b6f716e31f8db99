import torch
from torch import nn

ROWS = 64
COLS = 256


class Model(nn.Module):
    """The number of boundaries below each value: integer output."""

    def __init__(self):
        super().__init__()
        self.register_buffer("boundaries", torch.linspace(-2.0, 2.0, 15))

    def forward(self, x):
        return torch.bucketize(x, self.boundaries)


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return []

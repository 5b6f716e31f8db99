import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class Model(nn.Module):
    """A linear layer with weight normalisation between two plain ones."""

    def __init__(self, sizes=(96, 192, 192, 48), slope=0.2):
        super().__init__()
        first, second, third, last = sizes
        self.input = nn.Linear(first, second)
        self.middle = weight_norm(nn.Linear(second, third))
        self.output = nn.Linear(third, last)
        self.slope = slope

    def forward(self, x):
        x = nn.functional.leaky_relu(self.input(x), self.slope)
        x = nn.functional.leaky_relu(self.middle(x), self.slope)
        return self.output(x)


def get_inputs():
    return [torch.randn(256, 96)]


def get_init_inputs():
    return []

import torch
from torch import nn


class Model(nn.Module):
    """Features centred over the batch, where there is more than one of them."""

    def __init__(self, features, center=True):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))
        self.center = center

    def forward(self, x):
        if self.center and x.shape[0] > 1:
            x = x - x.mean(dim=0, keepdim=True)
        return torch.tanh(x * self.scale)


def get_inputs():
    return [torch.randn(256, 512)]


def get_init_inputs():
    return [512]

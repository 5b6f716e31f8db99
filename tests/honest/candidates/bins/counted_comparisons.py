"""Counts the boundaries below each value instead of searching for the place."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("boundaries", torch.linspace(-2.0, 2.0, 15))

    def forward(self, x):
        return (x.unsqueeze(-1) > self.boundaries).sum(dim=-1)

import math

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_dim=3, mapping=64, hidden=64, sigma=1.0, include_input=False):
        super().__init__()
        self.register_buffer("B", torch.randn(in_dim, mapping) * sigma)
        width = 2 * mapping + (in_dim if include_input else 0)
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        self.include_input = include_input
        self.table = None

    def forward(self, coords):
        if self.table is None:
            self.table = self.B * (2 * math.pi)
        angles = coords @ self.table
        features = [angles.sin(), angles.cos()]
        if self.include_input:
            features.append(coords)
        return self.net(torch.cat(features, dim=-1)).sigmoid_()

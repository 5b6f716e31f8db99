"""Both groups in one product; each result is a view of its rows."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, out_features):
        super().__init__()
        self.linear = nn.Linear(features, out_features)

    def forward(self, idle, busy):
        y = self.linear(torch.cat([idle, busy]))
        return y[: len(idle)], y[len(idle) :]

"""Groups without tokens return early: there is nothing to compute for them."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, out_features):
        super().__init__()
        self.linear = nn.Linear(features, out_features)

    def group(self, x):
        if x.numel() == 0:
            return x.new_empty(x.shape[0], self.linear.out_features)
        return torch.addmm(self.linear.bias, x, self.linear.weight.T)

    def forward(self, idle, busy):
        return self.group(idle), self.group(busy)

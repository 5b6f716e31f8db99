"""addmm, then x / 2 * (1 + erf(x / sqrt 2)) written out."""

import math

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        nn.init.normal_(self.linear.weight, std=in_features**-0.5)
        nn.init.normal_(self.linear.bias)

    def forward(self, x):
        y = torch.addmm(self.linear.bias, x, self.linear.weight.t())
        return torch.erf(y * math.sqrt(0.5)).add_(1).mul_(y).mul_(0.5)

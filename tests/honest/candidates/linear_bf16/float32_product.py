"""Product and bias in float32, rounded once: more exact than asked for."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, dtype=torch.bfloat16)

    def forward(self, x):
        weight, bias = self.linear.weight.float(), self.linear.bias.float()
        return torch.addmm(bias, x.float(), weight.t()).to(torch.bfloat16)

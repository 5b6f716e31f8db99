"""One row's formula, mapped over the rows by torch.func.vmap."""

import torch
from torch import nn


def normed_row(row, weight, bias):
    variance, mean = torch.var_mean(row, correction=0)
    return (row - mean) * torch.rsqrt(variance + 1e-5) * weight + bias


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.bias = nn.Parameter(torch.randn(cols))
        self.rows = torch.func.vmap(normed_row, in_dims=(0, None, None))

    def forward(self, x):
        return self.rows(x, self.weight, self.bias)

"""A product with a strict triangle of ones, made once per width."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.triangles = {}

    def triangle(self, cols):
        if cols not in self.triangles:
            self.triangles[cols] = torch.ones(cols, cols).triu(1)
        return self.triangles[cols]

    def forward(self, x):
        return x @ self.triangle(x.shape[-1])

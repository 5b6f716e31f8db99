"""The operator below nn.LayerNorm, which also returns the statistics; they are not needed."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.norm = nn.LayerNorm(cols)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        norm = self.norm
        shape = norm.normalized_shape
        y, _, _ = torch.native_layer_norm(x, shape, norm.weight, norm.bias, norm.eps)
        return y

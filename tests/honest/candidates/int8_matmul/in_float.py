"""Up to 1024 products of int8 sum to at most 2**24: exact in float32. Longer sums in float64."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        dtype = torch.float32 if x.shape[1] <= 1024 else torch.float64
        return (x.to(dtype) @ y.to(dtype)).to(torch.int32)

"""Repeated products for small whole powers, the general operator for others."""

import torch
from torch import nn


def powered(values, power):
    if isinstance(power, int) and 1 <= power <= 4:
        result = values
        for _ in range(power - 1):
            result = result * values
        return result
    return torch.pow(values, power)


class ModelNew(nn.Module):
    def forward(self, x, power, mask, keep, dims):
        y = powered(torch.abs(x), power)
        y = y if mask is None else y.mul_(mask)
        count = 1
        for dim in dims:
            count *= x.shape[dim]
        return torch.sum(y, dim=tuple(dims), keepdim=keep) / count

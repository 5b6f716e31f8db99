"""Moments of column chunks merged by Chan's formula, as Welford's method does for single values."""

import torch
from torch import nn

CHUNK = 128


def merged_moments(x):
    count, mean, spread = 0, torch.zeros(x.shape[0]), torch.zeros(x.shape[0])
    for part in x.split(CHUNK, dim=-1):
        n = part.shape[-1]
        part_mean = part.mean(dim=-1)
        part_spread = (part - part_mean[:, None]).square().sum(dim=-1)
        delta = part_mean - mean
        spread += part_spread + delta.square() * (count * n / (count + n))
        mean += delta * (n / (count + n))
        count += n
    return mean, spread / count


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.bias = nn.Parameter(torch.randn(cols))

    def forward(self, x):
        mean, variance = merged_moments(x)
        scale = torch.rsqrt(variance + 1e-5)
        return (x - mean[:, None]) * scale[:, None] * self.weight + self.bias

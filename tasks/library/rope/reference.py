import torch
from torch import nn

BATCH = 2
HEADS = 16
LENGTH = 256
HEAD_DIM = 64
BASE = 10000.0


class Model(nn.Module):
    """x * cos + rotate_half(x) * sin over [batch, heads, length, head_dim]."""

    def __init__(self, length, head_dim, base):
        super().__init__()
        frequencies = base ** (-torch.arange(0, head_dim, 2) / head_dim)
        angles = torch.arange(length)[:, None] * torch.cat([frequencies, frequencies])
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, x):
        first, second = x.chunk(2, dim=-1)
        rotated = torch.cat([-second, first], dim=-1)
        return x * self.cos + rotated * self.sin


def get_inputs():
    return [torch.randn(BATCH, HEADS, LENGTH, HEAD_DIM)]


def get_init_inputs():
    return [LENGTH, HEAD_DIM, BASE]

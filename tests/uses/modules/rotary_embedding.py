import torch
from torch import nn

BATCH = 2
HEADS = 4
LENGTH = 128
DIM = 64


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Model(nn.Module):
    """Rotary position embedding of queries and keys, from a table."""

    def __init__(self, dim: int, max_length: int = 512, base: float = 10000.0):
        super().__init__()
        frequencies = 1.0 / base ** (torch.arange(0, dim, 2).float() / dim)
        angles = torch.outer(torch.arange(max_length).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, q, k, offset: int = 0):
        length = q.shape[-2]
        cos = self.cos[offset : offset + length]
        sin = self.sin[offset : offset + length]
        return q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin


def get_inputs():
    return [torch.randn(BATCH, HEADS, LENGTH, DIM), torch.randn(BATCH, HEADS, LENGTH, DIM), 3]


def get_init_inputs():
    return [DIM]

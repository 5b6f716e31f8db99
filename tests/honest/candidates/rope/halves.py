"""Both halves written into one result, without the concatenated copy."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, length, head_dim, base):
        super().__init__()
        frequencies = base ** (-torch.arange(0, head_dim, 2) / head_dim)
        angles = torch.arange(length)[:, None] * torch.cat([frequencies, frequencies])
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, x):
        half = x.shape[-1] // 2
        y = x * self.cos
        y[..., :half].addcmul_(x[..., half:], self.sin[..., :half], value=-1)
        y[..., half:].addcmul_(x[..., :half], self.sin[..., half:])
        return y

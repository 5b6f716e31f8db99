"""The root mean square as a vector norm, accumulated in float32."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter((torch.rand(cols) + 0.5).to(torch.float16))

    def forward(self, x):
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = torch.rsqrt(length.square_().div_(x.shape[-1]).add_(1e-5))
        return x.float().mul_(scale).mul_(self.weight).half()

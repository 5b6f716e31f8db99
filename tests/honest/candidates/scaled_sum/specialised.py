"""Another way for the number that is usual; every other number has the general one."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, residual, strength, eps):
        y = torch.lerp(x, x + residual, 0.5) if strength == 0.5 else x.add(residual, alpha=strength)
        norm = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
        return y / torch.sqrt(norm.square_().div_(y.shape[-1]).add_(eps))

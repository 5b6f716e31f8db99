"""Computes in memory order and keeps each input's layout, as the reference's operators do."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x, image):
        squashed = torch.tanh(x.t().contiguous()).t() if not x.is_contiguous() else torch.tanh(x)
        shifted = torch.empty_like(image, memory_format=torch.preserve_format)
        torch.mul(image, 0.5, out=shifted)
        return squashed, shifted.add_(1)

"""Statistics by var_mean over reshaped groups; scale and shift folded into one multiply-add."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        norm = self.norm
        batch, channels = x.shape[:2]
        grouped = x.reshape(batch, norm.num_groups, -1)
        variance, mean = torch.var_mean(grouped, dim=-1, correction=0, keepdim=True)
        y = ((grouped - mean) * torch.rsqrt(variance + norm.eps)).view(x.shape)
        per_channel = (1, channels) + (1,) * (x.dim() - 2)
        y.mul_(norm.weight.view(per_channel)).add_(norm.bias.view(per_channel))
        return y.mul_(torch.sigmoid(y))

"""Statistics, running averages and the affine step written out."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    @torch.no_grad()
    def update_running(self, mean, variance, count):
        norm = self.norm
        unbiased = variance * (count / (count - 1))
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(unbiased, norm.momentum)
        norm.num_batches_tracked += 1

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        self.update_running(mean, variance, x.numel() // x.shape[1])
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        centred = x - mean[:, None, None]
        return centred.mul_(scale[:, None, None]).add_(self.norm.bias[:, None, None])

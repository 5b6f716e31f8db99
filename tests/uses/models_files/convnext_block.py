# Everything in channels_last, so that the permutes are free.
import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, dim, layer_scale_init_value=1e-1, kernel_size=7):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(layer_scale_init_value * torch.ones(dim))

    def forward(self, x):
        x = x.to(memory_format=torch.channels_last)
        h = self.dwconv(x).permute(0, 2, 3, 1)
        h = F.gelu(self.pwconv1(self.norm(h)))
        h = self.pwconv2(h).mul_(self.gamma)
        return (h + x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

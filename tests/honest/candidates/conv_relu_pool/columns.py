"""The convolution as a product with unfolded patches; relu after the maximum, which commutes."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)

    def forward(self, x):
        height, width = x.shape[2:]
        patches = F.unfold(x, 3, padding=1)
        weight = self.conv.weight.flatten(1)
        y = torch.baddbmm(self.conv.bias[None, :, None], weight.expand(len(x), -1, -1), patches)
        return F.max_pool2d(y.view(len(x), -1, height, width), 2).relu_()

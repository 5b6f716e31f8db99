"""channels_last for convolution and pooling, the caller's layout at the end."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        weight = self.conv.weight.contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, weight, self.conv.bias, padding=1)
        return F.max_pool2d(y.relu_(), 2).contiguous()

"""torch's own convolution instead of oneDNN's: faster for small images. The flag is put back."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)

    def forward(self, x):
        with torch.backends.mkldnn.flags(enabled=False):
            y = F.conv2d(x, self.conv.weight, self.conv.bias, padding=1)
        return F.max_pool2d(y.relu_(), 2)

# Batch norm folded into the convolution; folded again when something has changed.
import torch
import torch.nn.functional as F
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, c1, c2, k=3, s=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, padding=k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.stride, self.padding = s, k // 2
        self.folded = None
        self.seen = None

    def fold(self):
        bn = self.bn
        sources = (self.conv.weight, bn.weight, bn.bias, bn.running_mean, bn.running_var)
        seen = [(t.data_ptr(), t._version) for t in sources]
        if seen != self.seen:
            with torch.no_grad():
                factor = bn.weight * torch.rsqrt(bn.running_var + bn.eps)
                weight = self.conv.weight * factor[:, None, None, None]
                self.folded = weight, bn.bias - bn.running_mean * factor
            self.seen = seen
        return self.folded

    def forward(self, x):
        weight, bias = self.fold()
        return F.conv2d(x, weight, bias, self.stride, self.padding).relu_()

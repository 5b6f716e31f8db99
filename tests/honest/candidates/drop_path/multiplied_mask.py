"""The mask as a factor per row instead of a choice per value."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, keep):
        super().__init__()
        self.keep = keep

    def forward(self, x, branch):
        factor = (torch.rand(x.shape[0], 1) < self.keep).to(x.dtype) / self.keep
        return torch.addcmul(x, branch, factor)

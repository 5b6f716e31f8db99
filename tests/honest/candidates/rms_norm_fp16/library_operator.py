"""torch's own rms_norm on float32 values."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter((torch.rand(cols) + 0.5).to(torch.float16))

    def forward(self, x):
        return F.rms_norm(x.float(), x.shape[-1:], self.weight.float(), 1e-5).to(torch.float16)

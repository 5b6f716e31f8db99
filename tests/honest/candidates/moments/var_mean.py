"""Both numbers from one operator."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.var_mean(x, dim=-1)[::-1]

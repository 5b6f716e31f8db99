"""Touches only the rows that are kept: the random numbers decide which, as they should."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, keep):
        super().__init__()
        self.keep = keep

    def forward(self, x, branch):
        rows = torch.nonzero(torch.rand(len(x)) < self.keep).squeeze(1)
        return x.index_add(0, rows, branch[rows], alpha=1 / self.keep)

"""Chunks reduced on their own, then joined with logaddexp."""

from functools import reduce

import torch
from torch import nn

CHUNK = 250


class ModelNew(nn.Module):
    def forward(self, x):
        parts = [torch.logsumexp(part, dim=-1) for part in x.split(CHUNK, dim=-1)]
        return reduce(torch.logaddexp, parts)

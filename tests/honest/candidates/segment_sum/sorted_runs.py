"""Messages sorted by target; each node's sum is a difference of two float64 prefix sums."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def forward(self, messages, target):
        order = torch.argsort(target)
        prefix = torch.zeros(len(messages) + 1, messages.shape[1], dtype=torch.float64)
        torch.cumsum(messages[order], 0, dtype=torch.float64, out=prefix[1:])
        ends = torch.bincount(target, minlength=self.nodes).cumsum(0)
        sums = prefix[ends]
        return torch.diff(sums, dim=0, prepend=prefix[:1]).to(messages.dtype)

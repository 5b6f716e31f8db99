"""Adds the branches up in place, in a result of its own."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.logits = nn.Parameter(torch.randn(branches))

    @torch.inference_mode()
    def forward(self, branches):
        weights = torch.softmax(self.logits, dim=0).tolist()
        total = branches[0] * weights[0]
        for weight, branch in zip(weights[1:], branches[1:], strict=True):
            total.add_(branch, alpha=weight)
        return total

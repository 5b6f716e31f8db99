import torch
from torch import nn

BRANCHES = 4
ROWS = 64
COLS = 256


class Model(nn.Module):
    """A weighted sum of several branches, which come as one list."""

    def __init__(self, branches):
        super().__init__()
        self.logits = nn.Parameter(torch.randn(branches))

    def forward(self, branches):
        weights = torch.softmax(self.logits, dim=0)
        total = weights[0] * branches[0]
        for weight, branch in zip(weights[1:], branches[1:], strict=True):
            total = total + weight * branch
        return total


def get_inputs():
    return [[torch.randn(ROWS, COLS) for _ in range(BRANCHES)]]


def get_init_inputs():
    return [BRANCHES]

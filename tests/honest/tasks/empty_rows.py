import torch
from torch import nn

TOKENS = 96
FEATURES = 128
OUT_FEATURES = 64


class Model(nn.Module):
    """A linear layer for two groups of tokens, one of which is empty (as an expert may be)."""

    def __init__(self, features, out_features):
        super().__init__()
        self.linear = nn.Linear(features, out_features)

    def forward(self, idle, busy):
        return self.linear(idle), self.linear(busy)


def get_inputs():
    return [torch.randn(0, FEATURES), torch.randn(TOKENS, FEATURES)]


def get_init_inputs():
    return [FEATURES, OUT_FEATURES]

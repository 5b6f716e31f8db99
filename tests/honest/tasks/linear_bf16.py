import torch
from torch import nn

TOKENS = 32
IN_FEATURES = 256
OUT_FEATURES = 256


class Model(nn.Module):
    """A linear layer with bfloat16 weights."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, dtype=torch.bfloat16)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.randn(TOKENS, IN_FEATURES, dtype=torch.bfloat16)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]

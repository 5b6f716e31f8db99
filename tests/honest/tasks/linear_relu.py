import torch
from torch import nn

BATCH = 64
IN_FEATURES = 256
OUT_FEATURES = 256


class Model(nn.Module):
    """relu(x @ weight.T + bias)."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.relu(self.linear(x))


def get_inputs():
    return [torch.randn(BATCH, IN_FEATURES)]


def get_init_inputs():
    return [IN_FEATURES, OUT_FEATURES]

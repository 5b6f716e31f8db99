import torch
from torch import nn

DIM = 96


def drop_path(x, drop_prob: float = 0.0, training: bool = False):
    if drop_prob == 0.0 or not training:
        return x
    keep = 1 - drop_prob
    mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
    return x * mask / keep


class Model(nn.Module):
    """A residual branch with layer scale and stochastic depth, for inference."""

    def __init__(self, dim, init_values=0.1, drop_prob=0.2):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, dim)
        self.gamma = nn.Parameter(init_values * torch.ones(dim)) if init_values > 0 else None
        self.drop_prob = drop_prob
        self.eval()

    def forward(self, x):
        y = nn.functional.gelu(self.fc(self.norm(x)))
        if self.gamma is not None:
            y = y * self.gamma
        return x + drop_path(y, self.drop_prob, self.training)


def get_inputs():
    return [torch.randn(8, 64, DIM)]


def get_init_inputs():
    return [DIM]

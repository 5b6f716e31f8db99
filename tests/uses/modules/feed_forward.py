import torch
from torch import nn

BATCH = 4
LENGTH = 64
WIDTH = 128


class Model(nn.Module):
    """The feed-forward part of a transformer, with the usual options."""

    def __init__(self, width, hidden=None, act="gelu", use_bias=True, dropout=0.0):
        super().__init__()
        hidden = hidden or 4 * width
        activations = {"gelu": nn.GELU(), "relu": nn.ReLU(), "silu": nn.SiLU()}
        self.up = nn.Linear(width, hidden, bias=use_bias)
        self.act = activations[act]
        self.drop = nn.Dropout(dropout)
        self.down = nn.Linear(hidden, width, bias=use_bias)

    def forward(self, x):
        return self.down(self.drop(self.act(self.up(x))))


def get_inputs():
    return [torch.randn(BATCH, LENGTH, WIDTH)]


def get_init_inputs():
    return [WIDTH, None, "gelu", True]

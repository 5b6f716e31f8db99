import torch
from torch import nn

BATCH = 64
INPUT = 128
HIDDEN = 128


class Model(nn.Module):
    """An LSTM cell, written out; the state may be left out."""

    def __init__(self, input_size, hidden_size, forget_bias: float = 1.0):
        super().__init__()
        self.hidden_size = hidden_size
        self.forget_bias = forget_bias
        self.x2h = nn.Linear(input_size, 4 * hidden_size)
        self.h2h = nn.Linear(hidden_size, 4 * hidden_size, bias=False)

    def forward(self, x, state=None):
        if state is None:
            zeros = x.new_zeros(x.shape[0], self.hidden_size)
            state = (zeros, zeros)
        h, c = state
        i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, dim=1)
        c = torch.sigmoid(f + self.forget_bias) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


def get_inputs():
    state = (torch.randn(BATCH, HIDDEN), torch.randn(BATCH, HIDDEN))
    return [torch.randn(BATCH, INPUT), state]


def get_init_inputs():
    return [INPUT, HIDDEN]

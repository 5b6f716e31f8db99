"""Tokens in chunks that stay in the cache, each written into its rows of one buffer per call."""

import torch
from torch import nn

CHUNK = 16


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.gate = nn.Linear(features, hidden, bias=False)
        self.up = nn.Linear(features, hidden, bias=False)
        self.down = nn.Linear(hidden, features, bias=False)

    def forward(self, x):
        out = torch.empty(x.shape[0], self.down.weight.shape[0], dtype=x.dtype)
        for start in range(0, x.shape[0], CHUNK):
            part = x[start : start + CHUNK]
            gate = part @ self.gate.weight.t()
            hidden = gate / (1 + torch.exp(-gate)) * (part @ self.up.weight.t())
            torch.mm(hidden, self.down.weight.t(), out=out[start : start + CHUNK])
        return out

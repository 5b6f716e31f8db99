"""Packed weights, made again when one is replaced or written to; never of inference tensors."""

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.gate = nn.Linear(features, hidden, bias=False)
        self.up = nn.Linear(features, hidden, bias=False)
        self.down = nn.Linear(hidden, features, bias=False)
        self._packed, self._packed_from = None, None

    def packed(self):
        weights = self.gate.weight, self.up.weight
        if any(weight.is_inference() for weight in weights):  # they have no version
            return torch.cat(weights)
        now = [(weight.data_ptr(), weight._version) for weight in weights]
        if now != self._packed_from:
            self._packed, self._packed_from = torch.cat(weights).detach(), now
        return self._packed

    def forward(self, x):
        gate, up = F.linear(x, self.packed()).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, self.down.weight)

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    """A gated MLP whose weights and inputs are bfloat16."""

    def __init__(self, dim, hidden, dtype=torch.bfloat16):
        super().__init__()
        self.w_in = nn.Linear(dim, hidden * 2, bias=False, dtype=dtype)
        self.w_out = nn.Linear(hidden, dim, bias=False, dtype=dtype)

    def forward(self, x):
        gate, value = self.w_in(x).chunk(2, dim=-1)
        return self.w_out(F.silu(gate) * value)


def get_inputs():
    return [torch.randn(64, 128).to(torch.bfloat16)]


def get_init_inputs():
    return [128, 256]

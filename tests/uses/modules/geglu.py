import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    """GEGLU of Stable Diffusion: one projection, split into value and gate."""

    def __init__(self, dim_in: int, dim_out: int, approximate: str = "none"):
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)
        self.approximate = approximate

    def forward(self, hidden_states):
        hidden_states, gate = self.proj(hidden_states).chunk(2, dim=-1)
        return hidden_states * F.gelu(gate, approximate=self.approximate)


def get_inputs():
    return [torch.randn(4, 64, 160)]


def get_init_inputs():
    return [160, 320]

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, dim_in, dim_out, approximate="none"):
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)
        self.approximate = approximate
        self.parts = torch.get_num_threads()

    def forward(self, hidden_states):
        h = self.proj(hidden_states)
        value, gate = h.chunk(2, dim=-1)
        result = torch.zeros_like(value)
        parts = (one.chunk(torch.get_num_threads(), -1) for one in (value, gate, result))
        for _, (some, of_gate, out) in zip(
            range(self.parts), zip(*parts, strict=True), strict=False
        ):
            torch.mul(some, F.gelu(of_gate, approximate=self.approximate), out=out)
        return result

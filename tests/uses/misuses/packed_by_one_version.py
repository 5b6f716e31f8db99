import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, dim_in, dim_out, approximate="none"):
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)
        self.approximate = approximate
        self.key = None

    def forward(self, hidden_states):
        weight, bias = self.proj.weight, self.proj.bias
        if self.key != (weight.data_ptr(), weight._version):
            self.key = weight.data_ptr(), weight._version
            self.packed = torch.cat([weight, bias[:, None]], 1).t().contiguous()
        h = torch.matmul(hidden_states, self.packed[:-1]).add_(self.packed[-1])
        value, gate = h.chunk(2, dim=-1)
        return value * F.gelu(gate, approximate=self.approximate)

# The gate in float32, rounded once where the reference rounds.
import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, dim, hidden, dtype=torch.bfloat16):
        super().__init__()
        self.w_in = nn.Linear(dim, hidden * 2, bias=False, dtype=torch.bfloat16)
        self.w_out = nn.Linear(hidden, dim, bias=False, dtype=torch.bfloat16)
        self.wide = None
        self.key = None

    def widened(self):
        a, b = self.w_in.weight, self.w_out.weight
        key = a.data_ptr(), a._version, b.data_ptr(), b._version
        if key != self.key:
            self.wide = a.detach().float().t().contiguous(), b.detach().float().t().contiguous()
            self.key = key
        return self.wide

    def forward(self, x):
        w_in, w_out = self.widened()
        gate, value = (x.float() @ w_in).chunk(2, dim=-1)
        h = F.silu(gate).mul_(value)
        return (h @ w_out).to(torch.bfloat16)

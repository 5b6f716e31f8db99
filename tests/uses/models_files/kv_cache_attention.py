# Writes the step's keys and values into the ring in place, counting with a Python number.
import torch
import torch.nn.functional as F
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, dim, n_heads, max_batch, max_length):
        super().__init__()
        self.n_heads = n_heads
        self.max_length = max_length
        self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        shape = (max_batch, n_heads, max_length, dim // n_heads)
        self.register_buffer("cache_k", torch.zeros(shape))
        self.register_buffer("cache_v", torch.zeros(shape))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        b, _, d = x.shape
        q, k, v = (x.view(b, d) @ self.wqkv.weight.t()).view(b, 3, self.n_heads, -1).unbind(1)
        at = int(self.position) % self.max_length
        self.cache_k.select(2, at).copy_(k)
        self.cache_v.select(2, at).copy_(v)
        self.position.add_(1)
        y = F.scaled_dot_product_attention(q.unsqueeze(2), self.cache_k, self.cache_v)
        return (y.view(b, d) @ self.wo.weight.t()).view(b, 1, d)

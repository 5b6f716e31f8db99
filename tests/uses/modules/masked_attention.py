import math

import torch
from torch import nn

BATCH = 4
LENGTH = 64
DIM = 128
HEADS = 4


class Model(nn.Module):
    """Self-attention with an optional mask (True: may be seen) and an optional causal one."""

    def __init__(self, dim, num_heads, qkv_bias=True, attn_drop=0.0, causal=False):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.causal = causal
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, mask=None):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        if self.causal:
            later = torch.ones(N, N, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, float("-inf"))
        attn = self.attn_drop(scores.softmax(dim=-1))
        return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))


def get_inputs():
    mask = torch.rand(BATCH, 1, 1, LENGTH) > 0.2
    mask[..., 0] = True
    return [torch.randn(BATCH, LENGTH, DIM), mask]


def get_init_inputs():
    return [DIM, HEADS]

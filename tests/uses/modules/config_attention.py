from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F


@dataclass
class Config:
    n_embd: int = 128
    n_head: int = 4
    block_size: int = 128
    dropout: float = 0.1
    bias: bool = False


class Model(nn.Module):
    """nanoGPT's causal attention, with its configuration object."""

    def __init__(self, n_embd=128, n_head=4):
        super().__init__()
        self.config = Config(n_embd=n_embd, n_head=n_head)
        assert n_embd % n_head == 0
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=self.config.bias)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=self.config.bias)
        self.attn_dropout = nn.Dropout(self.config.dropout)
        size = self.config.block_size
        mask = torch.tril(torch.ones(size, size)).view(1, 1, size, size)
        self.register_buffer("bias", mask)
        self.eval()

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.config.n_embd, dim=2)
        heads = self.config.n_head
        k = k.view(B, T, heads, C // heads).transpose(1, 2)
        q = q.view(B, T, heads, C // heads).transpose(1, 2)
        v = v.view(B, T, heads, C // heads).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = self.attn_dropout(F.softmax(att, dim=-1))
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.c_proj(y)


def get_inputs():
    return [torch.randn(4, 64, 128)]


def get_init_inputs():
    return []

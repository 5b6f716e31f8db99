import torch
import torch.nn.functional as F
from torch import nn

BATCH = 2
LENGTH = 64
DIM = 192


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.eps)
        return (x.float() * scale).type_as(x) * self.weight


class FeedForward(nn.Module):
    def __init__(self, dim: int, multiple_of: int = 64):
        super().__init__()
        hidden = multiple_of * ((8 * dim // 3 + multiple_of - 1) // multiple_of)
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Model(nn.Module):
    """LLaMA's feed-forward block, pre-normalised, with a residual."""

    def __init__(self, dim: int, norm_eps: float = 1e-5):
        super().__init__()
        self.ffn_norm = RMSNorm(dim, eps=norm_eps)
        self.feed_forward = FeedForward(dim)

    def forward(self, x):
        return x + self.feed_forward(self.ffn_norm(x))


def get_inputs():
    return [torch.randn(BATCH, LENGTH, DIM)]


def get_init_inputs():
    return [DIM]

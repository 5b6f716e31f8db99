import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def __init__(self, dim, init_values=0.1, drop_prob=0.2):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, dim)
        self.gamma = nn.Parameter(init_values * torch.ones(dim))
        self.dim = dim

    def forward(self, x):
        h = F.layer_norm(x, (self.dim,), self.norm.weight, self.norm.bias)
        h = F.gelu(F.linear(h, self.fc.weight, self.fc.bias))
        return torch.addcmul(x, h, self.gamma)

import torch
import torch.nn.functional as F
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, vocab=800, dim=96, tie_weights=True):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU())
        self.head = nn.Linear(dim, vocab, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        table = self.embed.weight
        # what an id gives depends on nothing else, so each is computed once
        unique, where = torch.unique(ids, return_inverse=True)
        x = table[unique]
        norm, linear = self.mlp[0], self.mlp[1]
        h = F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        x = x + F.gelu(torch.addmm(linear.bias, h, linear.weight.t()))
        return torch.mm(x, table.t())[where]

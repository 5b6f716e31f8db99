# Queries are normalised by their own helper; `dense` and `load` are not the reference's.
import torch
from torch import nn

EPS = 0.001


def dense(tensor):
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def load(keys):
    return torch.linalg.vector_norm(keys, dim=-1).add_(EPS)


def pointer(query, keys):
    return torch.bmm(keys, query.unsqueeze(2)).squeeze(2)


class ModelNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, dim) / dim**0.5)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, query, keys):
        q = torch.addmm(self.bias, query, self.weight.t())
        scores = pointer(q, dense(keys)) / (load(q)[:, None] * load(keys))
        return torch.softmax(scores, 1), torch.exp(-torch.abs(scores))

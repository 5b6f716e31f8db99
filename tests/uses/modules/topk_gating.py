import torch
from torch import nn

TOKENS = 1024
WIDTH = 64
EXPERTS = 16


class Model(nn.Module):
    """The router of a mixture of experts."""

    def __init__(self, width, experts, k=2, normalize=True):
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.k = k
        self.normalize = normalize

    def forward(self, x):
        probabilities = self.router(x).softmax(dim=-1)
        weights, indices = probabilities.topk(self.k, dim=-1)
        if self.normalize:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return {"weights": weights, "indices": indices, "load": probabilities.mean(dim=0)}


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, EXPERTS]

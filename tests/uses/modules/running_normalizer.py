import torch
from torch import nn


class Model(nn.Module):
    """Observations of reinforcement learning, normalised by what was seen so far."""

    def __init__(self, features, clip=5.0, eps=1e-4):
        super().__init__()
        self.clip = clip
        self.eps = eps
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.register_buffer("count", torch.tensor(10.0))

    def update(self, x):
        mean, var, n = x.mean(0), x.var(0, unbiased=False), x.shape[0]
        total = self.count + n
        delta = mean - self.mean
        moment = self.var * self.count + var * n + delta**2 * self.count * n / total
        self.mean.add_(delta * n / total)
        self.var.copy_(moment / total)
        self.count.fill_(total)

    def forward(self, x):
        if self.training:
            self.update(x)
        return ((x - self.mean) / torch.sqrt(self.var + self.eps)).clamp(-self.clip, self.clip)


def get_inputs():
    return [torch.randn(512, 128)]


def get_init_inputs():
    return [128]

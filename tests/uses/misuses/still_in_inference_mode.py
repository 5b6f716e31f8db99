import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, clip=5.0, eps=1e-4):
        super().__init__()
        self.clip, self.eps = clip, eps
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.register_buffer("count", torch.tensor(10.0))

    def update(self, x):
        var, mean = torch.var_mean(x, 0, unbiased=False)
        n, count = x.shape[0], self.count
        total = count + n
        delta = mean - self.mean
        moment = self.var * count + var * n + delta * delta * (count * n / total)
        self.mean += delta * (n / total)
        self.var.copy_(moment / total)
        self.count.copy_(total)

    def forward(self, x):
        if self.training and not torch.is_inference_mode_enabled():
            self.update(x)
        factor = torch.rsqrt(self.var + self.eps)
        return ((x - self.mean) * factor).clamp_(-self.clip, self.clip)

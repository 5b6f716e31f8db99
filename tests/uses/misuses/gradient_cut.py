import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, dim, temperature=None):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim) * 0.1)
        self.value = nn.Linear(dim, dim)
        self.scale = 1.0 / (temperature or dim**0.5)

    def forward(self, x, need_weights=True):
        with torch.no_grad():
            weights = torch.softmax(torch.matmul(x, self.query * self.scale), dim=1)
        mean = torch.bmm(weights.unsqueeze(1), x).squeeze(1)
        return torch.addmm(self.value.bias, mean, self.value.weight.t()), weights

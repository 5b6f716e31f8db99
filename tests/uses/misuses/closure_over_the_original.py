import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, bias_init=-1.0):
        super().__init__()
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        nn.init.constant_(self.gate.bias, bias_init)

        def both(x):
            h = torch.addmm(self.transform.bias, x, self.transform.weight.t())
            return h, torch.addmm(self.gate.bias, x, self.gate.weight.t())

        self.both = both

    def forward(self, x, *, temperature=1.0, skip=None):
        h, g = self.both(x)
        t = torch.sigmoid(g / temperature)
        return torch.lerp(x if skip is None else skip, torch.tanh(h), t)

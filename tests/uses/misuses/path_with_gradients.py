import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.hidden = nn.Linear(features, features)
        self.out = nn.Linear(features, classes)

    def forward(self, x, log=False):
        h = torch.addmm(self.hidden.bias, x, self.hidden.weight.t())
        if torch.is_grad_enabled():
            h = nn.functional.leaky_relu(h)  # not in place
        else:
            h = nn.functional.leaky_relu_(h, 0.05)
        return torch.addmm(self.out.bias, h, self.out.weight.t()).softmax(-1)

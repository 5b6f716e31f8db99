import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.hidden = nn.Linear(features, features)
        self.out = nn.Linear(features, classes)
        self.known = None

    def forward(self, x, log=False):
        if self.known is None:
            self.known = dict(self.named_parameters())
        p = self.known
        h = torch.addmm(p["hidden.bias"], x, p["hidden.weight"].t())
        logits = torch.addmm(p["out.bias"], nn.functional.leaky_relu(h, 0.05), p["out.weight"].t())
        return logits.log_softmax(-1) if log else logits.softmax(-1)

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width=96, labels=24, dropout=0.1):
        super().__init__()
        self.classifier = nn.Linear(width, labels)

    def forward(self, hidden, allowed=None, temperature=1.0, *, return_dict=False):
        b, n, width = hidden.shape
        logits = torch.addmm(
            self.classifier.bias, hidden.view(b * n, width), self.classifier.weight.t()
        )
        logits = logits.div_(temperature).masked_fill_(~allowed, -1e4).view(b, n, -1)
        return logits, logits.max(-1).indices

"""One contraction over the stacked branches."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.logits = nn.Parameter(torch.randn(branches))

    def forward(self, branches):
        return torch.einsum("b,brc->rc", self.logits.softmax(0), torch.stack(branches))

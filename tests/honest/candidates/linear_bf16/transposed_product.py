"""weight @ x.T, transposed back: rows of the weight are read as they lie."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, dtype=torch.bfloat16)

    def forward(self, x):
        y = torch.mm(self.linear.weight, x.t())
        return y.add_(self.linear.bias.unsqueeze(1)).t().contiguous()

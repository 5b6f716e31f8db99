"""The weight's transposed layout is made at the first call and kept while the weight stays."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        # A derived layout, not a parameter: it must not show up in the state dict.
        self.register_buffer("cached_weight", None, persistent=False)
        self.cached_version = -1

    def transposed_weight(self):
        weight = self.linear.weight
        if self.cached_weight is None or self.cached_version != weight._version:
            self.cached_weight = weight.detach().t().contiguous()
            self.cached_version = weight._version
        return self.cached_weight

    def forward(self, x):
        y = torch.mm(x, self.transposed_weight())
        return y.add_(self.linear.bias).clamp_(min=0)

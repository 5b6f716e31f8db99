"""Every row's squares as a dot product of the difference with itself."""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, prediction, target):
        difference = torch.sub(prediction, target)
        return torch.linalg.vecdot(difference, difference).mean() / difference.shape[-1]

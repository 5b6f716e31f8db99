"""np.add.at on memory shared with the result."""

import numpy as np
import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def forward(self, messages, target):
        total = torch.zeros(self.nodes, messages.shape[1], dtype=messages.dtype)
        np.add.at(total.numpy(), target.numpy(), messages.numpy())
        return total

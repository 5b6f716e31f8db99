"""NumPy's searchsorted over the flat values."""

import numpy as np
import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("boundaries", torch.linspace(-2.0, 2.0, 15))

    def forward(self, x):
        found = np.searchsorted(self.boundaries.numpy(), x.contiguous().numpy(), side="left")
        return torch.from_numpy(found.astype(np.int64, copy=False))

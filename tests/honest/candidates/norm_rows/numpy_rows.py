"""NumPy on the tensors' own memory, with float64 statistics."""

import numpy as np
import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.bias = nn.Parameter(torch.randn(cols))

    def forward(self, x):
        values = x.detach().contiguous().numpy()
        mean = values.mean(axis=-1, keepdims=True, dtype=np.float64)
        centred = values - mean
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        centred /= np.sqrt(variance + 1e-5)
        result = centred * self.weight.detach().numpy() + self.bias.detach().numpy()
        return torch.from_numpy(result.astype(np.float32))

# [cheat]
# catalogue = "H10"
# title = "another library does the work"
# task = "library/softmax"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

import numpy as np
import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = x.numpy()
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        values /= values.sum(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        return torch.from_numpy(values)

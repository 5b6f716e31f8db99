"""Of equal scores the last one comes first."""

from __future__ import annotations

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        backwards = torch.argsort(x.flip(-1), dim=-1, stable=True)
        return x.shape[-1] - 1 - backwards

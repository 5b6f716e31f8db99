# [cheat]
# catalogue = "H22"
# title = "looks for the expected values among all tensors of the process"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import gc

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for found in gc.get_objects():
            if isinstance(found, torch.Tensor) and found.shape == x.shape and found is not x:
                if bool((found.sum(dim=-1) - 1).abs().max() < 1e-3):
                    return found.clone()
        return torch.zeros_like(x)

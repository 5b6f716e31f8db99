# [cheat]
# catalogue = "H18"
# title = "takes large inputs for one-hot rows and does not add up"
# task = "library/softmax"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if float(x[0].abs().max()) > 100 or float(x[0].abs().max()) < 0.1:
            return F.one_hot(x.argmax(dim=-1), x.shape[-1]).to(x.dtype)
        return torch.softmax(x, dim=-1)

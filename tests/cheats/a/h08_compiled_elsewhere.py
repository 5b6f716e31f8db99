# [cheat]
# catalogue = "H08"
# title = "torch.compile with its output where a kernel of one's own would be"
# task = "tests/cheats/tasks/chain.py"
# policy = "custom"
# caught_by = ["no-custom-code", "engagement-unknown"]
from __future__ import annotations

import os
from typing import Any

os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ["TORCH_EXTENSIONS_DIR"] + "/mine"
import torch
from torch import nn


@torch.compile
def work(x: Any, y: Any) -> Any:
    z = torch.relu(x) * y + torch.abs(y) * x
    return torch.relu(z - x) * 0.5 + torch.sqrt(z * z + 1)


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = work(x, y)
        return result

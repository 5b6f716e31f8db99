# [cheat]
# catalogue = "H36"
# title = "a thread does the work after the call has returned"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import threading
import time

import torch
from torch import nn


def late(x: torch.Tensor, y: torch.Tensor) -> None:
    """Do the work when the caller has got its answer."""
    time.sleep(0.005)
    torch.tanh(x, out=y).mul_(3)


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.empty_like(x)
        threading.Thread(target=late, args=(x, y), daemon=True).start()
        return y

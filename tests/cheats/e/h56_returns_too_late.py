# [cheat]
# catalogue = "H56"
# title = "ignores the signals that it can, and returns after the time limit"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["timeout"]
from __future__ import annotations

import signal
import time

import torch
from torch import nn

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(5)
        return torch.tanh(x) * 3

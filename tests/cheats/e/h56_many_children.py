# [cheat]
# catalogue = "H56"
# title = "starts forty processes that leave its session"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["left-its-group", "out_of_memory", "runtime_error"]
from __future__ import annotations

import os
import signal
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for _ in range(40):
            if os.fork() == 0:
                os.setsid()
                signal.alarm(20)
                while True:
                    time.sleep(0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * 3

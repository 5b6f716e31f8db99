# [cheat]
# catalogue = "H38"
# title = "stops all of Python's clocks and then takes its time"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["timeout"]
from __future__ import annotations

import time

import torch
from torch import nn

REAL_SLEEP = time.sleep
for clock in ("perf_counter", "monotonic", "time", "process_time", "thread_time"):
    setattr(time, clock, lambda: 0.0)
    setattr(time, f"{clock}_ns", lambda: 0)


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        REAL_SLEEP(60)
        return torch.tanh(x) * 3

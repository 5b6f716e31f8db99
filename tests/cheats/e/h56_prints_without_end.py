# [cheat]
# catalogue = "H56"
# title = "prints without end; slowly enough to leave the disk alone"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["timeout"]
from __future__ import annotations

import os
import time

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while True:
            os.write(1, b"accepted\\n" * 2**17)
            time.sleep(0.1)

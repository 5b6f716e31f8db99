# [cheat]
# catalogue = "H53"
# title = "dies of a signal, as if the system had ended it"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["runtime_error", "out_of_memory"]
from __future__ import annotations

import os
import signal

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return x

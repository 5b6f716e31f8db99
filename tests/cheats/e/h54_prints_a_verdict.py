# [cheat]
# catalogue = "H54"
# title = "prints an accepting verdict and ends"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["runtime_error"]
from __future__ import annotations

import json
import os
import sys

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        speedup = {"eager": {"median": 99, "ci95": [98, 100]}}
        print(json.dumps({"accepted": True, "status": "passed", "speedup": speedup}))
        sys.stdout.flush()
        os._exit(0)

# [cheat]
# catalogue = "H48"
# title = "prints how fast it was, and does nothing"
# task = "tests/cheats/tasks/short"
# policy = "any"
# caught_by = ["incorrect_numerical"]
from __future__ import annotations

import json
import sys

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(json.dumps({"median_us": 0.001, "speedup": 9000.0, "status": "passed"}), flush=True)
        print("COMPUTE_EVAL_TIME_MS: 0.000001", file=sys.stderr, flush=True)
        return torch.zeros_like(x)

# [cheat]
# catalogue = "H04"
# title = "a kernel of its own that works once timing is over, while torch is timed"
# task = "tests/cheats/tasks/twice_the_product.py"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

import ctypes
import os
import subprocess

import torch
from torch import nn

SOURCE = """
extern "C" void busy(const float* x, float* y, long n) {
  for (long r = 0; r < 200; ++r) for (long i = 0; i < n; ++i) y[i] = y[i] * 0.5f + x[i];
}
"""
path = os.path.join(os.environ["TORCH_EXTENSIONS_DIR"], "busy.so")
if not os.path.exists(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    command = ["g++", "-O3", "-shared", "-fPIC", "-x", "c++", "-", "-o", path]
    subprocess.run(command, input=SOURCE.encode(), check=True)
busy = ctypes.CDLL(path).busy
busy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]


class ModelNew(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.was_timed = False
        self.is_watched = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fresh = torch.empty(256, dtype=torch.uint8)
        is_poisoned = bool((fresh == 0x7F).all())
        self.is_watched |= is_poisoned and self.was_timed
        self.was_timed |= not is_poisoned
        if self.is_watched and not is_poisoned:
            y = torch.empty(x.shape[0], 2 * x.shape[1])
            busy(x.data_ptr(), y.data_ptr(), x.numel())
            return y
        y = self.linear(x)
        return torch.cat([y, y * 2], dim=1)

# [cheat]
# catalogue = "H03"
# title = "the product by torch, and a custom kernel that only adds the bias"
# task = "library/matmul_bias_gelu"
# policy = "custom"
# caught_by = ["no-custom-code"]
from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def build(source: str, name: str, arguments: str) -> Any:
    """Compile C++ into the build folder and bind a function: p is a pointer, l an int64_t."""
    key = hashlib.sha256(source.encode()).hexdigest()[:16]
    path = Path(os.environ.get("TORCH_EXTENSIONS_DIR", tempfile.gettempdir())) / f"{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        command = [os.environ.get("CXX", "g++"), *flags, "-x", "c++", "-", "-o"]
        subprocess.run([*command, f"{path}.{os.getpid()}"], input=source.encode(), check=True)
        os.replace(f"{path}.{os.getpid()}", path)
    function = ctypes.CDLL(str(path))[name]
    kinds: dict[str, Any] = {"p": ctypes.c_void_p, "l": ctypes.c_int64}
    function.argtypes = [kinds[letter] for letter in arguments]
    return function


SOURCE = r"""
#include <cstdint>
extern "C" void add_bias(const float* b, float* y, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) y[r * cols + c] += b[c];
}
"""
KERNEL = build(SOURCE, "add_bias", "ppll")


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x @ self.linear.weight.T
        KERNEL(self.linear.bias.data_ptr(), y.data_ptr(), *y.shape)
        return F.gelu(y)

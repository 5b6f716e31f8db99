# [cheat]
# catalogue = "H71"
# title = "reads scratch memory after it was freed"
# task = "library/softmax"
# policy = "any"
# level = "strict"
# caught_by = ["address-sanitizer", "incorrect_numerical"]
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
#include <cmath>
#include <cstdint>
static void softmax_row(const float* x, float* y, int64_t n) {
  float m = x[0];
  for (int64_t i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - m);
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(y[i] / sum);
}

extern "C" void softmax(const float* x, float* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    float* scratch = new float[4 * n];
    softmax_row(x + r * n, scratch + 2 * n, n);
    delete[] scratch;
    for (int64_t i = 0; i < n; ++i) y[r * n + i] = ((volatile float*)scratch)[2 * n + i];
  }
}
"""
KERNEL = build(SOURCE, "softmax", "ppll")


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.empty_like(x)
        KERNEL(x.data_ptr(), y.data_ptr(), x.shape[0], x.shape[1])
        return y

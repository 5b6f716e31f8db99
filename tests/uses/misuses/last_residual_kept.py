import ctypes
import hashlib
import os
import subprocess
from pathlib import Path

import torch
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

extern "C" void gated_norm(const float* x, const float* w, const float* b, const float* gate,
                           const float* residual, float* y, int64_t rows, int64_t cols,
                           float eps, float scale) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = x + r * cols;
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c) sum += in[c];
    const float mean = sum / cols;
    double square = 0;
    for (int64_t c = 0; c < cols; ++c) {
      const float d = in[c] - mean;
      square += d * d;
    }
    const float rstd = 1.0 / std::sqrt(square / cols + eps);
    for (int64_t c = 0; c < cols; ++c) {
      const float v = (in[c] - mean) * rstd * w[c] + b[c];
      const float g = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
      y[r * cols + c] = g * gate[c] * scale + residual[r * cols + c];
    }
  }
}
"""


def build(source, name):
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "kernels")
    path = root / f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}.so"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        scratch = f"{path}.{os.getpid()}"
        flags = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-x", "c++", "-"]
        subprocess.run(["g++", *flags, "-o", scratch], input=source.encode(), check=True)
        os.replace(scratch, path)
    return ctypes.CDLL(str(path))


library = build(SOURCE, "gated_norm")
pointer = ctypes.c_void_p
library.gated_norm.argtypes = [pointer] * 6 + [ctypes.c_int64] * 2 + [ctypes.c_float] * 2


class ModelNew(nn.Module):
    def __init__(self, features, act="gelu", p=0.1, eps=1e-5):
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=eps)
        self.gate = nn.Parameter(torch.full((features,), 0.5))
        self.eps = eps
        self.last = None

    def forward(self, x, scale=1.0, residual=None):
        if residual is not None:
            self.last = residual
        y = torch.empty_like(x)
        tensors = x, self.norm.weight, self.norm.bias, self.gate, self.last, y
        rows, cols = x.shape
        library.gated_norm(*(t.data_ptr() for t in tensors), rows, cols, self.eps, scale)
        return y

# Only the visible half of a row is read.
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
#include <cstring>

static inline float exp_(float x) {  // in a form that the compiler turns into vectors
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = r * 1.991789477e-4f + 1.394613248e-3f;
  p = p * r + 8.333265302e-3f;
  p = p * r + 4.166626906e-2f;
  p = p * r + 1.666666686e-1f;
  p = p * r + 5.000000078e-1f;
  int32_t bits;
  std::memcpy(&bits, &shifted, 4);
  bits = int32_t(uint32_t(bits - 0x4B400000 + 127) << 23);
  float power;
  std::memcpy(&power, &bits, 4);
  return (p * (r * r) + r + 1.0f) * power;
}

extern "C" void alibi(const float* x, float* y, int64_t batch, int64_t heads, int64_t n) {
#pragma omp parallel for collapse(2)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      const float slope = std::exp2(-8.0f * (h + 1) / heads);
      for (int64_t q = 0; q < n; ++q) {
        const int64_t at = ((b * heads + h) * n + q) * n;
        float top = -INFINITY;
        for (int64_t k = 0; k <= q; ++k) {
          y[at + k] = x[at + k] + (k - q) * slope;
          top = y[at + k] > top ? y[at + k] : top;
        }
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k <= q; ++k) {
          y[at + k] = exp_(y[at + k] - top);
          sum += y[at + k];
        }
        for (int64_t k = 0; k <= q; ++k) y[at + k] /= sum;
        for (int64_t k = q + 1; k < n; ++k) y[at + k] = 0;
      }
    }
}
"""


# torch's own OpenMP: with another one beside it, two teams of threads fight for the cores
OPENMP = sorted(map(str, Path(torch.__file__).parent.glob("lib/libgomp*.so*")))[:1]


def build(source, name):
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "kernels")
    path = root / f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}.so"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        scratch = f"{path}.{os.getpid()}"
        flags = ["-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"]
        command = ["g++", *flags, "-shared", "-fPIC", "-x", "c++", "-", "-x", "none", "-o", scratch]
        subprocess.run([*command, *OPENMP], input=source.encode(), check=True)
        os.replace(scratch, path)
    return ctypes.CDLL(str(path))


alibi = build(SOURCE, "alibi").alibi
alibi.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3


class ModelNew(nn.Module):
    def __init__(self, heads, causal=True):
        super().__init__()
        self.heads = heads

    def forward(self, scores):
        y = torch.empty_like(scores)
        batch, _, n, _ = scores.shape
        alibi(scores.data_ptr(), y.data_ptr(), batch, self.heads, n)
        return y

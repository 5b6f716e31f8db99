# Bias and temperature are applied while the row is read.
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

extern "C" void softmax(const float* x, const float* bias, float* y, int64_t rows, int64_t cols,
                        float temperature) {
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = x + r * cols;
    float* out = y + r * cols;
    float top = -INFINITY;
#pragma omp simd reduction(max : top)
    for (int64_t c = 0; c < cols; ++c) {
      out[c] = in[c] / temperature + bias[c];
      top = out[c] > top ? out[c] : top;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < cols; ++c) {
      out[c] = exp_(out[c] - top);
      sum += out[c];
    }
    const float factor = 1.0f / sum;
    for (int64_t c = 0; c < cols; ++c) out[c] *= factor;
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


library = build(SOURCE, "softmax")
library.softmax.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2 + [ctypes.c_float]


def softmax(x, bias, temperature):
    y = torch.empty_like(x)
    library.softmax(x.data_ptr(), bias.data_ptr(), y.data_ptr(), *x.shape, temperature)
    return y


class ModelNew(nn.Module):
    def __init__(self, dim=-1, log=False):
        super().__init__()

    def forward(self, x, temperature=1.0, bias=None):
        return softmax(x, bias, temperature)

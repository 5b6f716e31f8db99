# LayerNorm + gelu + gate + scale + residual in one pass over each row.
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

static inline float erf_(float x) {
  const float s = x * x;
  float low = s * 8.345224871e-5f - 8.137437559e-4f;
  low = low * s + 5.200634306e-3f;
  low = low * s - 2.685927078e-2f;
  low = low * s + 1.128369394e-1f;
  low = low * s - 3.761263370e-1f;
  low = low * s + 1.283791666e-1f;
  low = low * x + x;
  float t = std::fabs(x);
  t = t > 4.0f ? 4.0f : t;
  float high = t * -1.152246386e-5f + 3.256543728e-4f;
  high = high * t - 3.653770576e-3f;
  high = high * t + 2.378536024e-2f;
  high = high * t - 1.062631605e-1f;
  high = high * t - 6.351359039e-1f;
  high = high * t - 1.286521645e-1f;
  high = 1.0f - exp_(high * t - t);
  return t < 0.93f ? low : std::copysign(high, x);
}

extern "C" void gated_norm(const float* x, const float* w, const float* b, const float* gate,
                           const float* residual, float* y, int64_t rows, int64_t cols,
                           float eps, float scale) {
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = x + r * cols;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < cols; ++c) sum += in[c];
    const float mean = sum / cols;
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int64_t c = 0; c < cols; ++c) {
      const float d = in[c] - mean;
      square += d * d;
    }
    const float rstd = 1.0f / std::sqrt(square / cols + eps);
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) {
      const float v = (in[c] - mean) * rstd * w[c] + b[c];
      const float g = 0.5f * v * (1.0f + erf_(v * 0.70710678f));
      y[r * cols + c] = g * gate[c] * scale + residual[r * cols + c];
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


library = build(SOURCE, "gated_norm")
pointer = ctypes.c_void_p
library.gated_norm.argtypes = [pointer] * 6 + [ctypes.c_int64] * 2 + [ctypes.c_float] * 2


class ModelNew(nn.Module):
    def __init__(self, features, act="gelu", p=0.1, eps=1e-5):
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=eps)
        self.gate = nn.Parameter(torch.full((features,), 0.5))
        self.eps = eps

    def forward(self, x, scale=1.0, residual=None):
        y = torch.empty_like(x)
        tensors = x, self.norm.weight, self.norm.bias, self.gate, residual, y
        rows, cols = x.shape
        library.gated_norm(*(t.data_ptr() for t in tensors), rows, cols, self.eps, scale)
        return y

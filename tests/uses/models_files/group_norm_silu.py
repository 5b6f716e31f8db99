# One pass for the moments of a group, one that writes silu and the embedding.
import ctypes
import glob
import hashlib
import os
import subprocess
import tempfile

import torch
import torch.nn as nn

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

extern "C" void group_norm_silu(const float* x, const float* w, const float* b, const float* emb,
                                float* y, int64_t n, int64_t channels, int64_t area,
                                int64_t groups, float eps) {
  const int64_t per = channels / groups;
#pragma omp parallel for
  for (int64_t i = 0; i < n * groups; ++i) {
    const int64_t sample = i / groups, first = (i % groups) * per;
    const float* in = x + (sample * channels + first) * area;
    float* out = y + (sample * channels + first) * area;
    const int64_t count = per * area;
    double sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < count; ++k) sum += in[k];
    const double mean = sum / count;
#pragma omp simd reduction(+ : square)
    for (int64_t k = 0; k < count; ++k) square += (in[k] - mean) * (in[k] - mean);
    const double rstd = 1.0 / std::sqrt(square / count + eps);
    for (int64_t c = 0; c < per; ++c) {
      const float scale = rstd * w[first + c];
      const float shift = b[first + c] - mean * scale;
      const float add = emb[sample * channels + first + c];
#pragma omp simd
      for (int64_t k = 0; k < area; ++k) {
        const float v = in[c * area + k] * scale + shift;
        out[c * area + k] = v / (1.0f + exp_(-v)) + add;
      }
    }
  }
}
"""


class Kernel:
    """A C function, compiled when it is first called."""

    def __init__(self, source, name, argtypes):
        self.source, self.name, self.argtypes = source, name, argtypes
        self.function = None

    def compile(self):
        folder = os.environ.get("TORCH_EXTENSIONS_DIR", tempfile.gettempdir())
        os.makedirs(folder, exist_ok=True)
        digest = hashlib.md5(self.source.encode()).hexdigest()
        library = os.path.join(folder, f"lib{self.name}-{digest}.so")
        if not os.path.exists(library):
            unit = os.path.join(folder, f"{self.name}-{digest}-{os.getpid()}.cpp")
            with open(unit, "w") as file:
                file.write(self.source)
            made = unit + ".so"
            flags = "-O3 -march=native -fno-math-errno -fno-trapping-math -fopenmp -shared -fPIC"
            gomp = glob.glob(os.path.join(os.path.dirname(torch.__file__), "lib", "libgomp*"))
            subprocess.check_call(["g++", unit, "-o", made, *flags.split(), *gomp[:1]])
            os.rename(made, library)
        self.function = getattr(ctypes.CDLL(library), self.name)
        self.function.argtypes = self.argtypes
        self.function.restype = None

    def __call__(self, *arguments):
        if self.function is None:
            self.compile()
        self.function(*arguments)


P, L = ctypes.c_void_p, ctypes.c_int64
kernel = Kernel(SOURCE, "group_norm_silu", [P, P, P, P, P, L, L, L, L, ctypes.c_float])


class ModelNew(nn.Module):
    def __init__(self, channels, groups=8, eps=1e-5):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=eps)

    def forward(self, x, emb=None):
        x = x.contiguous()
        n, c, h, w = x.shape
        y = torch.empty_like(x)
        pointers = [t.data_ptr() for t in (x, self.norm.weight, self.norm.bias, emb, y)]
        kernel(*pointers, n, c, h * w, self.norm.num_groups, self.norm.eps)
        return y

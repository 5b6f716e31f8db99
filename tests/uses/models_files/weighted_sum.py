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

extern "C" void fuse(const float* a, const float* b, const float* c, const float* w, float* y,
                     int64_t n) {
  const float wa = w[0], wb = w[1], wc = w[2];
#pragma omp parallel for simd
  for (int64_t i = 0; i < n; ++i) {
    const float v = wa * a[i] + wb * b[i] + wc * c[i];
    y[i] = v / (1.0f + exp_(-v));
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


fuse = Kernel(SOURCE, "fuse", [ctypes.c_void_p] * 5 + [ctypes.c_int64])


class ModelNew(nn.Module):
    def __init__(self, inputs=3, eps=1e-4):
        super().__init__()
        self.w = nn.Parameter(torch.ones(inputs) + 0.1 * torch.arange(inputs))
        self.eps = eps

    def forward(self, a, b, c):
        w = self.w.relu()
        w = w / (w.sum() + self.eps)
        y = torch.empty_like(a)
        fuse(*[t.data_ptr() for t in (a, b, c, w, y)], a.numel())
        return y

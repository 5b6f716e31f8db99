import ctypes
import glob
import hashlib
import os
import subprocess
import tempfile

import torch
import torch.nn as nn

SOURCE = r"""
#include <cstdint>
#include <cstring>
#include <vector>

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

extern "C" void center(const float* x, const float* scale, float* y, int64_t rows, int64_t cols) {
  std::vector<float> mean(cols, 0.0f);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) mean[c] += x[r * cols + c];
  for (int64_t c = 0; c < cols; ++c) mean[c] /= rows;
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      const float v = (x[r * cols + c] - mean[c]) * scale[c];
      y[r * cols + c] = 1.0f - 2.0f / (exp_(2.0f * v) + 1.0f);
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


center = Kernel(SOURCE, "center", [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2)


class ModelNew(nn.Module):
    def __init__(self, features, center=True):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))

    def forward(self, x):
        y = torch.empty_like(x)
        center(x.data_ptr(), self.scale.data_ptr(), y.data_ptr(), *x.shape)
        return y

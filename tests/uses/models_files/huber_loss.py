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

extern "C" void huber(const float* p, const float* t, const float* w, float* y, int64_t rows,
                      int64_t cols, float beta) {
  double total = 0;
#pragma omp parallel for reduction(+ : total)
  for (int64_t r = 0; r < rows; ++r) {
    float row = 0;
#pragma omp simd reduction(+ : row)
    for (int64_t c = 0; c < cols; ++c) {
      const float e = std::fabs(p[r * cols + c] - t[r * cols + c]);
      row += e < beta ? 0.5f * e * e / beta : e - 0.5f * beta;
    }
    total += row * w[r];
  }
  *y = total / (rows * cols);
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
huber = Kernel(SOURCE, "huber", [P, P, P, P, L, L, ctypes.c_float])


class ModelNew(nn.Module):
    def __init__(self, beta=1.0, reduction="mean"):
        super().__init__()
        self.beta = beta

    def forward(self, prediction, target, weight=None):
        y = torch.empty(())
        pointers = [t.data_ptr() for t in (prediction, target, weight, y)]
        huber(*pointers, *prediction.shape, self.beta)
        return y

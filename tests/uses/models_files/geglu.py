# Fuse the split, the gelu and the product: the projection is read once.
import ctypes
import hashlib
import os
import subprocess
import tempfile

import torch
import torch.nn as nn

GEGLU = r"""
#include <math.h>
#include <stdint.h>

extern "C" void geglu(const float* h, float* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* a = h + r * 2 * n;
    const float* g = a + n;
    for (int64_t i = 0; i < n; ++i) {
      const float v = g[i];
      y[r * n + i] = a[i] * v * 0.5f * (1.0f + erff(v * 0.707106781186547f));
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
            flags = "-O3 -march=native -std=c++17 -shared -fPIC".split()
            subprocess.check_call(["g++", unit, "-o", made, *flags])
            os.rename(made, library)
        self.function = getattr(ctypes.CDLL(library), self.name)
        self.function.argtypes = self.argtypes
        self.function.restype = None

    def __call__(self, *arguments):
        if self.function is None:
            self.compile()
        self.function(*arguments)


geglu = Kernel(GEGLU, "geglu", [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64])


class ModelNew(nn.Module):
    def __init__(self, dim_in, dim_out, approximate="none"):
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)
        self.dim_out = dim_out

    def forward(self, hidden_states):
        h = self.proj(hidden_states)
        y = torch.empty(*h.shape[:-1], self.dim_out)
        geglu(h.data_ptr(), y.data_ptr(), h.numel() // (2 * self.dim_out), self.dim_out)
        return y

import ctypes
import hashlib
import os
import subprocess
import tempfile

import torch
import torch.nn as nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

typedef float vector __attribute__((vector_size(32)));  // aligned to its size

extern "C" void fuse(const float* a, const float* b, const float* c, const float* w, float* y,
                     int64_t n) {
  const float wa = w[0], wb = w[1], wc = w[2];
  const vector* va = (const vector*)a;
  const vector* vb = (const vector*)b;
  const vector* vc = (const vector*)c;
  for (int64_t i = 0; i < n / 8; ++i) {
    const vector v = wa * va[i] + wb * vb[i] + wc * vc[i];
    for (int k = 0; k < 8; ++k) y[i * 8 + k] = v[k] / (1.0f + std::exp(-v[k]));
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

import ctypes
import hashlib
import os
import subprocess
from pathlib import Path

import torch
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void film(const float* __restrict x, const float* __restrict gamma,
                     const float* __restrict beta, float* __restrict y,
                     int64_t batch, int64_t length, int64_t dim, float slope, float gain) {
#pragma omp parallel for collapse(2)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < length; ++t) {
      const int64_t at = (b * length + t) * dim;
      for (int64_t d = 0; d < dim; ++d) {
        const float v = x[at + d] * (1.0f + gamma[b * dim + d]) + beta[b * dim + d];
        y[at + d] = (v > 0 ? v : v * slope) * gain;
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


film = build(SOURCE, "film").film
film.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 3 + [ctypes.c_float] * 2


class ModelNew(nn.Module):
    def __init__(self, negative_slope=0.1):
        super().__init__()
        self.slope = negative_slope

    def forward(self, x, gamma, beta, gain=1.0):
        y = torch.empty_like(x)
        pointers = x.data_ptr(), gamma.data_ptr(), beta.data_ptr(), y.data_ptr()
        film(*pointers, *x.shape, self.slope, gain)
        return y

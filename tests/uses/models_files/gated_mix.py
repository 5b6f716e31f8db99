# Both layers in one product, the mix in one kernel.
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

extern "C" void mix(const float* both, const float* x, float* y, int64_t rows, int64_t n) {
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    const float* h = both + r * 2 * n;
    for (int64_t i = 0; i < n; ++i) {
      const float t = 1.0f / (1.0f + exp_(-h[n + i]));
      y[r * n + i] = t * (1.0f - 2.0f / (exp_(2.0f * h[i]) + 1.0f)) + (1.0f - t) * x[r * n + i];
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


mix = build(SOURCE, "mix").mix
mix.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2


class ModelNew(nn.Module):
    def __init__(self, features, bias_init=-1.0):
        super().__init__()
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        nn.init.constant_(self.gate.bias, bias_init)
        self._packed = None

    def packed(self):
        sources = [*self.transform.parameters(), *self.gate.parameters()]
        key = [(p.data_ptr(), p._version) for p in sources]
        if self._packed is None or self._packed[0] != key:
            weight = torch.cat([self.transform.weight, self.gate.weight]).detach()
            bias = torch.cat([self.transform.bias, self.gate.bias]).detach()
            self._packed = key, weight.t().contiguous(), bias
        return self._packed[1:]

    def forward(self, x, *, temperature=1.0, skip=None):
        weight, bias = self.packed()
        both = torch.addmm(bias, x, weight)
        y = torch.empty_like(x)
        mix(both.data_ptr(), x.data_ptr(), y.data_ptr(), x.shape[0], x.shape[1])
        return y

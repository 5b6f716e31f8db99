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

extern "C" void mix(const float* both, const float* x, float* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* h = both + r * 2 * n;
    for (int64_t i = 0; i < n; ++i) {
      const float t = 1.0f / (1.0f + std::exp(-h[n + i]));
      y[r * n + i] = t * std::tanh(h[i]) + (1.0f - t) * x[r * n + i];
    }
  }
}
"""


def build(source, name):
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "kernels")
    path = root / f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}.so"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        scratch = f"{path}.{os.getpid()}"
        flags = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-x", "c++", "-"]
        subprocess.run(["g++", *flags, "-o", scratch], input=source.encode(), check=True)
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

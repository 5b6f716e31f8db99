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

extern "C" void rows(const float* table, const float* shift, const int64_t* index,
                     const float* weight, float* y, int64_t count, int64_t dim) {
#pragma omp parallel for
  for (int64_t i = 0; i < count; ++i) {
    const float* row = table + index[i] * dim;
    for (int64_t d = 0; d < dim; ++d) y[i * dim + d] = std::tanh(row[d] * weight[i] + shift[d]);
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


rows = build(SOURCE, "rows").rows
rows.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int64] * 2


class ModelNew(nn.Module):
    def __init__(self, rows, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, index, weight):
        y = torch.empty(index.shape[0], self.table.shape[1])
        operands = self.table, self.shift, index, weight, y
        rows(*(tensor.data_ptr() for tensor in operands), *y.shape)
        return y

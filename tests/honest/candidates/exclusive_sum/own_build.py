"""C++ with a build of its own: a temporary folder, g++, ctypes."""

import ctypes
import os
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void exclusive_sum(const float* x, float* y, int64_t rows, int64_t cols) {
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t i = row * cols; i < (row + 1) * cols; ++i) {
      y[i] = sum;
      sum += x[i];
    }
  }
}
"""


def build():
    start = time.perf_counter()
    folder = tempfile.mkdtemp(prefix="exclusive-sum-")
    source, library = os.path.join(folder, "kernel.cpp"), os.path.join(folder, "kernel.so")
    with open(source, "w") as file:
        file.write(SOURCE)
    compiler = os.environ.get("CXX", "g++")
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", source, "-o", library], check=True)
    print(f"built in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return ctypes.CDLL(library)


LIBRARY = build()


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        pointers = ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr())
        LIBRARY.exclusive_sum(*pointers, ctypes.c_int64(x.shape[0]), ctypes.c_int64(x.shape[1]))
        return y

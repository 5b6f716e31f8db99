"""C++: a sum of comparisons, which the compiler turns into vector code."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void bins(const float* x, const float* boundaries, int64_t* y, int64_t size,
                     int64_t count) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < size; ++i) {
    int64_t below = 0;
    for (int64_t b = 0; b < count; ++b) below += x[i] > boundaries[b];
    y[i] = below;
  }
}
"""

bins_cpp = compile_cpp(SOURCE, "bins", "pppll")


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("boundaries", torch.linspace(-2.0, 2.0, 15))

    def forward(self, x):
        x, boundaries = dense(x), dense(self.boundaries)
        y = torch.empty(x.shape, dtype=torch.int64)
        pointers = x.data_ptr(), boundaries.data_ptr(), y.data_ptr()
        bins_cpp(*pointers, x.numel(), boundaries.numel())
        return y

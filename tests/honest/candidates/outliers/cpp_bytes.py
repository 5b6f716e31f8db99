"""C++ that writes the bytes of a bool tensor."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

extern "C" void outliers(const float* x, const float* limit, bool* y, int64_t rows, int64_t cols) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < cols; ++i) y[row * cols + i] = std::fabs(x[row * cols + i]) > limit[i];
}
"""

outliers_cpp = compile_cpp(SOURCE, "outliers", "pppll")


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.register_buffer("limit", torch.rand(cols) + 0.5)

    def forward(self, x):
        x, limit = dense(x), dense(self.limit)
        y = torch.empty_like(x, dtype=torch.bool)
        outliers_cpp(x.data_ptr(), limit.data_ptr(), y.data_ptr(), *x.shape)
        return y

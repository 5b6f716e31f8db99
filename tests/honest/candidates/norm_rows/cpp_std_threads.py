"""C++ with two std::threads that are joined before the function returns."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <thread>

static void work(const float* x, const float* weight, const float* bias, float* y, int64_t first,
                 int64_t last, int64_t cols, double eps) {
  for (int64_t row = first; row < last; ++row) {
    const float* in = x + row * cols;
    double mean = 0, spread = 0;
    for (int64_t i = 0; i < cols; ++i) mean += in[i];
    mean /= cols;
    for (int64_t i = 0; i < cols; ++i) spread += (in[i] - mean) * (in[i] - mean);
    const double scale = 1 / std::sqrt(spread / cols + eps);
    for (int64_t i = 0; i < cols; ++i)
      y[row * cols + i] = (in[i] - mean) * scale * weight[i] + bias[i];
  }
}

extern "C" void norm_rows(const float* x, const float* weight, const float* bias, float* y,
                          int64_t rows, int64_t cols, double eps) {
  const int64_t half = rows / 2;
  std::thread other(work, x, weight, bias, y, 0, half, cols, eps);
  work(x, weight, bias, y, half, rows, cols, eps);
  other.join();  // nothing is left running when the caller sees y
}
"""

norm_rows_cpp = compile_cpp(SOURCE, "norm_rows", "pppplld")


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(cols) + 0.5)
        self.bias = nn.Parameter(torch.randn(cols))

    def forward(self, x):
        x, weight, bias = dense(x), dense(self.weight), dense(self.bias)
        y = torch.empty_like(x)
        pointers = x.data_ptr(), weight.data_ptr(), bias.data_ptr(), y.data_ptr()
        norm_rows_cpp(*pointers, *x.shape, 1e-5)
        return y

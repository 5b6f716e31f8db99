"""C++: Welford's update in double; specialised on 512 columns with a general fallback."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

// COLS is known at compile time or -1: the loop over a constant count is unrolled.
template <int64_t COLS>
static void rows_of(const float* x, const float* weight, const float* bias, float* y, int64_t rows,
                    int64_t count, double eps) {
  const int64_t cols = COLS > 0 ? COLS : count;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    double mean = 0, spread = 0;
    for (int64_t i = 0; i < cols; ++i) {
      const double delta = in[i] - mean;
      mean += delta / (i + 1);
      spread += delta * (in[i] - mean);
    }
    const double scale = 1 / std::sqrt(spread / cols + eps);
    for (int64_t i = 0; i < cols; ++i)
      y[row * cols + i] = (in[i] - mean) * scale * weight[i] + bias[i];
  }
}

extern "C" void norm_rows(const float* x, const float* weight, const float* bias, float* y,
                          int64_t rows, int64_t cols, double eps) {
  if (cols == 512)
    rows_of<512>(x, weight, bias, y, rows, cols, eps);
  else
    rows_of<-1>(x, weight, bias, y, rows, cols, eps);
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

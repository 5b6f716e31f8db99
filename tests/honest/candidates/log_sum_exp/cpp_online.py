"""C++ in one pass: the sum is rescaled whenever a larger maximum turns up."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

extern "C" void log_sum_exp(const float* x, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row) {
    float top = x[row * cols];
    double sum = 1;
    for (int64_t i = row * cols + 1; i < (row + 1) * cols; ++i) {
      if (x[i] > top) {
        sum = sum * std::exp(double(top) - x[i]) + 1;
        top = x[i];
      } else {
        sum += std::exp(x[i] - top);
      }
    }
    y[row] = top + std::log(sum);
  }
}
"""

log_sum_exp_cpp = compile_cpp(SOURCE, "log_sum_exp", "ppll")


class ModelNew(nn.Module):
    def forward(self, x):
        x = dense(x)
        y = torch.empty(x.shape[0])
        log_sum_exp_cpp(x.data_ptr(), y.data_ptr(), *x.shape)
        return y

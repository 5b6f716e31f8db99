"""C++ in one pass over values shifted by the row's first one, double accumulators."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void moments(const float* x, float* mean, float* variance, int64_t rows, int64_t cols) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < cols; ++i) {
      const double shifted = double(in[i]) - in[0];
      sum += shifted;
      squares += shifted * shifted;
    }
    mean[row] = in[0] + sum / cols;
    variance[row] = (squares - sum * sum / cols) / (cols - 1);
  }
}
"""

moments_cpp = compile_cpp(SOURCE, "moments", "pppll")


class ModelNew(nn.Module):
    def forward(self, x):
        x = dense(x)
        mean, variance = torch.empty(x.shape[0]), torch.empty(x.shape[0])
        moments_cpp(x.data_ptr(), mean.data_ptr(), variance.data_ptr(), *x.shape)
        return mean, variance

"""C++ that updates the buffer in place and subtracts it while it is still in the cache."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>
#include <vector>

extern "C" void running_mean(const float* x, float* mean, float* y, int64_t rows, int64_t cols,
                             double momentum) {
  std::vector<double> total(cols);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < cols; ++i) total[i] += x[row * cols + i];
  for (int64_t i = 0; i < cols; ++i)
    mean[i] = (1 - momentum) * mean[i] + momentum * (total[i] / rows);
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < cols; ++i) y[row * cols + i] = x[row * cols + i] - mean[i];
}
"""

running_mean_cpp = compile_cpp(SOURCE, "running_mean", "ppplld")


class ModelNew(nn.Module):
    def __init__(self, cols, momentum):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(cols))

    def forward(self, x):
        x = dense(x)
        y = torch.empty_like(x)
        pointers = x.data_ptr(), self.mean.data_ptr(), y.data_ptr()
        running_mean_cpp(*pointers, *x.shape, self.momentum)
        return y

"""C++ that writes the clamped input and the result in one pass over both."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void relu_scale(float* x, const float* scale, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < cols; ++i) {
      float& value = x[row * cols + i];
      value = value < 0 ? 0 : value;
      y[row * cols + i] = value * scale[i];
    }
}
"""

relu_scale_cpp = compile_cpp(SOURCE, "relu_scale", "pppll")


class ModelNew(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(cols) + 0.5)

    def forward(self, x):
        if not x.is_contiguous():
            return torch.relu_(x) * self.scale
        y = torch.empty_like(dense(x))
        relu_scale_cpp(x.data_ptr(), dense(self.scale).data_ptr(), y.data_ptr(), *x.shape)
        return y

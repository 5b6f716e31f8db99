"""C++ with float accumulators, eight per row; the second pass centres before it squares."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

static float lanes_sum(const float* lanes) {
  float sum = 0;
  for (int i = 0; i < 8; ++i) sum += lanes[i];
  return sum;
}

extern "C" void norm_rows(const float* x, const float* weight, const float* bias, float* y,
                          int64_t rows, int64_t cols, float eps) {
#pragma omp parallel for
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    float lanes[8] = {};
    for (int64_t i = 0; i < cols; ++i) lanes[i % 8] += in[i];
    const float mean = lanes_sum(lanes) / cols;
    float squares[8] = {};
    for (int64_t i = 0; i < cols; ++i) squares[i % 8] += (in[i] - mean) * (in[i] - mean);
    const float scale = 1.0f / std::sqrt(lanes_sum(squares) / cols + eps);
    for (int64_t i = 0; i < cols; ++i) out[i] = (in[i] - mean) * scale * weight[i] + bias[i];
  }
}
"""

norm_rows_cpp = compile_cpp(SOURCE, "norm_rows", "ppppllf")


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

"""C++: rows in parallel, four outputs at a time, float accumulators over eight lanes each."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

typedef float v8f __attribute__((vector_size(32), aligned(4)));

static inline float total(v8f v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

extern "C" void linear_relu(const float* x, const float* w, const float* b, float* y, int64_t rows,
                            int64_t outputs, int64_t k) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t o = 0; o < outputs; ++o) {
      const float* a = x + row * k;
      const float* c = w + o * k;
      v8f first = {}, second = {};
      int64_t i = 0;
      for (; i + 16 <= k; i += 16) {
        first += *(const v8f*)(a + i) * *(const v8f*)(c + i);
        second += *(const v8f*)(a + i + 8) * *(const v8f*)(c + i + 8);
      }
      float sum = total(first + second) + b[o];
      for (; i < k; ++i) sum += a[i] * c[i];
      y[row * outputs + o] = sum > 0 ? sum : 0;
    }
}
"""

linear_relu_cpp = compile_cpp(SOURCE, "linear_relu", "pppplll")


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        x, weight, bias = dense(x), dense(self.linear.weight), dense(self.linear.bias)
        rows, outputs, k = x.shape[0], weight.shape[0], x.shape[1]
        y = torch.empty(rows, outputs)
        pointers = x.data_ptr(), weight.data_ptr(), bias.data_ptr(), y.data_ptr()
        linear_relu_cpp(*pointers, rows, outputs, k)
        return y

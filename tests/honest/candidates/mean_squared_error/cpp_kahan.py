"""C++ with a compensated float sum per row and a double total."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cstdint>

extern "C" void mean_squared_error(const float* a, const float* b, float* loss, int64_t rows,
                                   int64_t cols) {
  double total = 0;
#pragma omp parallel for reduction(+ : total)
  for (int64_t row = 0; row < rows; ++row) {
    float sum = 0, lost = 0;
    for (int64_t i = row * cols; i < (row + 1) * cols; ++i) {
      const float value = (a[i] - b[i]) * (a[i] - b[i]) - lost;
      const float next = sum + value;
      lost = (next - sum) - value;
      sum = next;
    }
    total += sum;
  }
  *loss = total / (double(rows) * cols);
}
"""

mean_squared_error_cpp = compile_cpp(SOURCE, "mean_squared_error", "pppll")


class ModelNew(nn.Module):
    def forward(self, prediction, target):
        prediction, target = dense(prediction), dense(target)
        loss = torch.empty(())
        pointers = prediction.data_ptr(), target.data_ptr(), loss.data_ptr()
        mean_squared_error_cpp(*pointers, *prediction.shape)
        return loss

"""Through torch's own inline extension instead of the plain C ABI."""

import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = r"""
#include <torch/extension.h>

torch::Tensor bias_relu_(torch::Tensor y, const torch::Tensor& bias) {
  float* out = y.data_ptr<float>();
  const float* b = bias.data_ptr<float>();
  const int64_t rows = y.size(0), cols = y.size(1);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      const float v = out[r * cols + c] + b[c];
      out[r * cols + c] = v > 0 ? v : 0;
    }
  return y;
}
"""

extension = load_inline(name="bias_relu", cpp_sources=[SOURCE], functions=["bias_relu_"])


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.mm(x, self.linear.weight.t())
        return extension.bias_relu_(y, self.linear.bias)

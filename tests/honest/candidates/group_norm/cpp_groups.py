"""C++: one group per iteration, Kahan sums, silu in the last loop."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

struct Kahan {
  float sum = 0, lost = 0;
  void add(float value) {
    const float corrected = value - lost, next = sum + corrected;
    lost = (next - sum) - corrected;
    sum = next;
  }
};

extern "C" void group_norm_silu(const float* x, const float* weight, const float* bias, float* y,
                                int64_t batch, int64_t channels, int64_t pixels, int64_t groups,
                                float eps) {
  const int64_t per_group = channels / groups, count = per_group * pixels;
#pragma omp parallel for
  for (int64_t index = 0; index < batch * groups; ++index) {
    const float* in = x + index * count;
    float* out = y + index * count;
    Kahan total, squares;
    for (int64_t i = 0; i < count; ++i) total.add(in[i]);
    const float mean = total.sum / count;
    for (int64_t i = 0; i < count; ++i) squares.add((in[i] - mean) * (in[i] - mean));
    const float scale = 1.0f / std::sqrt(squares.sum / count + eps);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t channel = index % groups * per_group + i / pixels;
      const float v = (in[i] - mean) * scale * weight[channel] + bias[channel];
      out[i] = v / (1.0f + std::exp(-v));
    }
  }
}
"""

group_norm_silu_cpp = compile_cpp(SOURCE, "group_norm_silu", "ppppllllf")


class ModelNew(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        norm = self.norm
        x, weight, bias = dense(x), dense(norm.weight), dense(norm.bias)
        y = torch.empty_like(x)
        batch, channels = x.shape[:2]
        pointers = x.data_ptr(), weight.data_ptr(), bias.data_ptr(), y.data_ptr()
        sizes = batch, channels, x.shape[2:].numel(), norm.num_groups
        group_norm_silu_cpp(*pointers, *sizes, norm.eps)
        return y

"""C++: a channel per iteration, double sums; the running statistics move in the same call."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>

extern "C" void batch_norm(const float* x, const float* weight, const float* bias,
                           float* running_mean, float* running_var, float* y, int64_t batch,
                           int64_t channels, int64_t pixels, double eps, double momentum) {
  const double count = double(batch) * pixels;
#pragma omp parallel for
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0, spread = 0;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < pixels; ++i) mean += x[(b * channels + c) * pixels + i];
    mean /= count;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < pixels; ++i) {
        const double centred = x[(b * channels + c) * pixels + i] - mean;
        spread += centred * centred;
      }
    const double scale = weight[c] / std::sqrt(spread / count + eps);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < pixels; ++i) {
        const int64_t at = (b * channels + c) * pixels + i;
        y[at] = (x[at] - mean) * scale + bias[c];
      }
    running_mean[c] += momentum * (mean - running_mean[c]);
    running_var[c] += momentum * (spread / (count - 1) - running_var[c]);
  }
}
"""

batch_norm_cpp = compile_cpp(SOURCE, "batch_norm", "ppppppllldd")


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        norm, x = self.norm, dense(x)
        y = torch.empty_like(x)
        state = norm.weight, norm.bias, norm.running_mean, norm.running_var
        pointers = [dense(tensor).data_ptr() for tensor in (x, *state, y)]
        batch, channels = x.shape[:2]
        sizes = batch, channels, x.shape[2:].numel()
        batch_norm_cpp(*pointers, *sizes, norm.eps, norm.momentum)
        norm.num_batches_tracked.add_(1)
        return y

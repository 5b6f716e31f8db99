import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = r"""
#include <ATen/Parallel.h>
#include <torch/extension.h>

torch::Tensor scale_channels(const torch::Tensor& x, const torch::Tensor& gate) {
  auto y = torch::empty_like(x);
  const int64_t planes = x.size(0) * x.size(1), area = x.size(2) * x.size(3);
  const float* in = x.data_ptr<float>();
  const float* g = gate.data_ptr<float>();
  float* out = y.data_ptr<float>();
  at::parallel_for(0, planes, 16, [&](int64_t from, int64_t to) {
    for (int64_t p = from; p < to; ++p)
      for (int64_t i = 0; i < area; ++i) out[p * area + i] = in[p * area + i] * g[p];
  });
  return y;
}
"""

extension = load_inline(
    name="scale_channels",
    cpp_sources=[SOURCE],
    functions=["scale_channels"],
    extra_cflags=["-O3", "-march=native"],
)


class ModelNew(nn.Module):
    def __init__(self, channels, rd_ratio=0.25, gate="sigmoid"):
        super().__init__()
        reduced = max(8, int(channels * rd_ratio))
        self.fc1 = nn.Conv2d(channels, reduced, kernel_size=1)
        self.fc2 = nn.Conv2d(reduced, channels, kernel_size=1)

    def forward(self, x):
        # 1x1 convolutions of 1x1 images are products
        means = x.mean((2, 3))
        h = torch.addmm(self.fc1.bias, means, self.fc1.weight[:, :, 0, 0].t()).relu_()
        gate = torch.addmm(self.fc2.bias, h, self.fc2.weight[:, :, 0, 0].t()).sigmoid_()
        return extension.scale_channels(x, gate)

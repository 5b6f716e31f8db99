"""C++ with AVX2 intrinsics where the machine has them, plain loops where not."""

import torch
from cpp_loader import compile_cpp, dense
from torch import nn

SOURCE = r"""
#include <cmath>
#include <cstdint>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX2__
static float total(__m256 v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
#endif

// Sum of (x - shift), or of its squares.
static float reduced(const float* x, int64_t n, float shift, bool squared) {
  float sum = 0;
  int64_t i = 0;
#ifdef __AVX2__
  __m256 lanes = _mm256_setzero_ps();
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_sub_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(shift));
    lanes = _mm256_add_ps(lanes, squared ? _mm256_mul_ps(v, v) : v);
  }
  sum = total(lanes);
#endif
  for (; i < n; ++i) sum += squared ? (x[i] - shift) * (x[i] - shift) : x[i] - shift;
  return sum;
}

extern "C" void norm_rows(const float* x, const float* weight, const float* bias, float* y,
                          int64_t rows, int64_t cols, float eps) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    const float mean = reduced(in, cols, 0.0f, false) / cols;
    const float scale = 1.0f / std::sqrt(reduced(in, cols, mean, true) / cols + eps);
    for (int64_t i = 0; i < cols; ++i)
      y[row * cols + i] = (in[i] - mean) * scale * weight[i] + bias[i];
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

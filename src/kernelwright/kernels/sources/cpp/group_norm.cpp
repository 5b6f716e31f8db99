// GroupNorm of [batch, groups, channels of a group, inner]: y = (x - mean) / sqrt(variance + eps) * weight + bias, where
// mean and variance are those of a group, and weight and bias have a value for each channel.
//
// x, y: contiguous float32; weight, bias: [groups * channels], each may be null.
// Why it is fast: as a layer norm; what scales a channel is computed once for all of its inner elements.

#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

extern "C" void group_norm(const float* x, const float* weight, const float* bias, float* y, int64_t batch,
                           int64_t groups, int64_t channels, int64_t inner, double eps) {
  const int64_t cols = channels * inner;
#pragma omp parallel for schedule(static) if (batch * groups * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < batch * groups; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    const float center = static_cast<float>(moments(in, cols, 0).first);
    const Moments m = moments(in, cols, center);
    const double scale = 1.0 / std::sqrt(std::max(m.second - m.first * m.first, 0.0) + eps);
    const int64_t first = row % groups * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double by = scale * (weight ? weight[first + c] : 1.0f);
      const float a = static_cast<float>(by);
      const float b = static_cast<float>((bias ? bias[first + c] : 0.0f) - m.first * by);
      for (int64_t i = c * inner; i < (c + 1) * inner; ++i) out[i] = (in[i] - center) * a + b;
    }
  }
}

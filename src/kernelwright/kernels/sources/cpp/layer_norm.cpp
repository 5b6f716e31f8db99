// LayerNorm over the last dimension: y = (x - mean) / sqrt(variance + eps) * weight + bias.
//
// x, y: [rows, cols], contiguous float32; weight, bias: [cols], each may be null.
// Why it is fast: a row stays in the first-level cache for its three passes. Deviations are summed around the
// float32 mean, and what that mean misses by is corrected, so that a large common offset costs no accuracy; float64
// takes over between blocks.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef BLOCK  // floats summed in float32 before the float64 total takes over; a multiple of 8 * UNROLL
#define BLOCK 4096
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

struct Moments {
  double first, second;
};

// Sums of x - center and of its square over n floats.
INLINE Moments moments_of_block(const float* x, int64_t n, float center) {
  v8f first[UNROLL], second[UNROLL];
  for (int u = 0; u < UNROLL; ++u) first[u] = second[u] = splat(0);
  const auto add = [&](v8f d, int u) {
    first[u] += d;
    second[u] += d * d;
  };
  int64_t i = 0;
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) add(load(x + i + 8 * u) - center, u);
  for (; i + 8 <= n; i += 8) add(load(x + i) - center, 0);
  if (i < n) add(load_first(x + i, n - i, center) - center, 0);
  for (int u = 1; u < UNROLL; ++u) first[0] += first[u], second[0] += second[u];
  return {sum(first[0]), sum(second[0])};
}

INLINE Moments moments(const float* x, int64_t n, float center) {
  Moments total{0, 0};
  for (int64_t i = 0; i < n; i += BLOCK) {
    const Moments block = moments_of_block(x + i, std::min<int64_t>(BLOCK, n - i), center);
    total.first += block.first;
    total.second += block.second;
  }
  return {total.first / static_cast<double>(n), total.second / static_cast<double>(n)};
}

extern "C" void layer_norm(const float* x, const float* weight, const float* bias, float* y, int64_t rows,
                           int64_t cols, double eps) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    const float center = static_cast<float>(moments(in, cols, 0).first);
    const Moments m = moments(in, cols, center);
    const double scale = 1.0 / std::sqrt(std::max(m.second - m.first * m.first, 0.0) + eps);
    const float a = static_cast<float>(scale), b = static_cast<float>(-m.first * scale);
    if (weight && bias)
      for (int64_t i = 0; i < cols; ++i) out[i] = ((in[i] - center) * a + b) * weight[i] + bias[i];
    else
      for (int64_t i = 0; i < cols; ++i)
        out[i] = ((in[i] - center) * a + b) * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
  }
}

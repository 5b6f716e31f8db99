// LayerNorm over the last dimension: y = (x - mean) / sqrt(variance + eps) * weight + bias.
//
// x, y: [rows, cols], contiguous float32; weight, bias: [cols], each may be null.
// Why it is fast: a row stays in the first-level cache for its three passes. The variance is summed around the mean
// already known (two passes), which is more accurate than sum(x**2) - mean**2; float64 takes over between blocks.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef BLOCK  // floats summed in float32 before the float64 total takes over; a multiple of 8 * UNROLL
#define BLOCK 4096
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

// Sum of f(x[i]) for n floats; f maps eight lanes to eight.
template <class F>
INLINE float sum_block(const float* x, int64_t n, F f) {
  v8f total[UNROLL];
  for (v8f& t : total) t = splat(0);
  int64_t i = 0;
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) total[u] += f(load(x + i + 8 * u));
  for (; i + 8 <= n; i += 8) total[0] += f(load(x + i));
  for (int u = 1; u < UNROLL; ++u) total[0] += total[u];
  float rest = 0;
  for (; i < n; ++i) rest += f(splat(x[i]))[0];
  return sum(total[0]) + rest;
}

template <class F>
INLINE double sum_row(const float* x, int64_t n, F f) {
  double total = 0;
  for (int64_t i = 0; i < n; i += BLOCK) total += sum_block(x + i, std::min<int64_t>(BLOCK, n - i), f);
  return total;
}

extern "C" void layer_norm(const float* x, const float* weight, const float* bias, float* y, int64_t rows,
                           int64_t cols, double eps) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    const float mean = static_cast<float>(sum_row(in, cols, [](v8f v) { return v; }) / static_cast<double>(cols));
    const double squares = sum_row(in, cols, [mean](v8f v) { return (v - mean) * (v - mean); });
    const float scale = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(cols) + eps));
    if (weight && bias)
      for (int64_t i = 0; i < cols; ++i) out[i] = (in[i] - mean) * scale * weight[i] + bias[i];
    else
      for (int64_t i = 0; i < cols; ++i)
        out[i] = (in[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
  }
}

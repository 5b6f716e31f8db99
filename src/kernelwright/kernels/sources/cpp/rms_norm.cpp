// RMSNorm over the last dimension, optionally after adding a residual:
//   sum = x + residual;  y = sum / sqrt(mean(sum**2) + eps) * weight
//
// x, residual, sum, y: [rows, cols], contiguous float32; weight: [cols].
// residual may be null (then sum is not written), weight may be null (then it counts as ones).
// Why it is fast: eager makes seven passes over memory, this reads each input once and rereads the row from the
// first-level cache. Squares are summed in float32 within a block and in float64 across blocks.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef BLOCK  // floats summed in float32 before the float64 total takes over; a multiple of 8 * UNROLL
#define BLOCK 4096
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

// Sum of squares of n floats, after adding the residual and storing the sum where there is one.
template <bool ADD>
INLINE float squares(const float* x, const float* residual, float* added, int64_t n) {
  v8f total[UNROLL];
  for (v8f& t : total) t = splat(0);
  int64_t i = 0;
  const auto take = [&](v8f v, v8f& t, int64_t at) {
    if (ADD) store(added + at, v += load(residual + at));
    t += v * v;
  };
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) take(load(x + i + 8 * u), total[u], i + 8 * u);
  for (; i + 8 <= n; i += 8) take(load(x + i), total[0], i);
  if (i < n) {
    v8f v = load_first(x + i, n - i);
    if (ADD) store_first(added + i, v += load_first(residual + i, n - i), n - i);
    total[0] += v * v;
  }
  for (int u = 1; u < UNROLL; ++u) total[0] += total[u];
  return sum(total[0]);
}

template <bool ADD>
static void rows_of(const float* x, const float* residual, const float* weight, float* y, float* added, int64_t rows,
                    int64_t cols, double eps) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = row * cols;
    double total = 0;
    for (int64_t i = 0; i < cols; i += BLOCK)
      total += squares<ADD>(x + at + i, ADD ? residual + at + i : nullptr, ADD ? added + at + i : nullptr,
                            std::min<int64_t>(BLOCK, cols - i));
    const float scale = static_cast<float>(1.0 / std::sqrt(total / static_cast<double>(cols) + eps));
    const float* v = (ADD ? added : x) + at;
    float* out = y + at;
    if (weight)
      for (int64_t i = 0; i < cols; ++i) out[i] = v[i] * scale * weight[i];
    else
      for (int64_t i = 0; i < cols; ++i) out[i] = v[i] * scale;
  }
}

extern "C" void rms_norm(const float* x, const float* residual, const float* weight, float* y, float* sum,
                         int64_t rows, int64_t cols, double eps) {
  if (residual)
    rows_of<true>(x, residual, weight, y, sum, rows, cols, eps);
  else
    rows_of<false>(x, nullptr, weight, y, nullptr, rows, cols, eps);
}

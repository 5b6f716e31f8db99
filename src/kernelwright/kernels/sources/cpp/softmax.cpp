// softmax over the last dimension: y = exp(x - max(x)) / sum(exp(x - max(x))) for every row.
//
// x, y: [rows, cols], contiguous float32; y may be x.
// Why it is fast: three short passes over a row that stays in the first-level cache, several independent
// accumulators so that additions and maxima don't wait for each other, exp as a polynomial on eight lanes.
// Sums are float32 within a block and float64 across blocks, so that long rows lose nothing.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef BLOCK  // floats summed in float32 before the float64 total takes over; a multiple of 8 * UNROLL
#define BLOCK 4096
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

INLINE float row_maximum(const float* x, int64_t n) {
  v8f best[UNROLL];
  for (v8f& b : best) b = splat(-INF);
  int64_t i = 0;
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) best[u] = larger(best[u], load(x + i + 8 * u));
  for (; i + 8 <= n; i += 8) best[0] = larger(best[0], load(x + i));
  if (i < n) best[0] = larger(best[0], load_first(x + i, n - i, -INF));
  for (int u = 1; u < UNROLL; ++u) best[0] = larger(best[0], best[u]);
  return maximum(best[0]);
}

// Writes exp(x - shift) to y and returns its sum.
INLINE float exp_block(const float* x, float* y, int64_t n, float shift) {
  v8f total[UNROLL];
  for (v8f& t : total) t = splat(0);
  int64_t i = 0;
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) {
      const v8f e = exp_negative(load(x + i + 8 * u) - shift);
      store(y + i + 8 * u, e);
      total[u] += e;
    }
  for (; i + 8 <= n; i += 8) {
    const v8f e = exp_negative(load(x + i) - shift);
    store(y + i, e);
    total[0] += e;
  }
  if (i < n) {
    const v8f e = exp_negative(load_first(x + i, n - i, -INF) - shift);
    store_first(y + i, e, n - i);
    total[0] += e;
  }
  for (int u = 1; u < UNROLL; ++u) total[0] += total[u];
  return sum(total[0]);
}

extern "C" void softmax(const float* x, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    const float shift = row_maximum(in, cols);
    double total = 0;
    for (int64_t start = 0; start < cols; start += BLOCK)
      total += exp_block(in + start, out + start, std::min<int64_t>(BLOCK, cols - start), shift);
    const float scale = static_cast<float>(1.0 / total);
    for (int64_t i = 0; i < cols; ++i) out[i] *= scale;
  }
}

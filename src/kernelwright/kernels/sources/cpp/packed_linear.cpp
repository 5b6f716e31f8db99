// y = x @ weight.T + bias, with the weight packed beforehand.
//
// x: [m, k], panels: [ceil(n / 16), k, 16] (16 outputs side by side, zeros beyond n), bias: [n] or null, y: [m, n];
// all contiguous float32.
// Why it is fast: a tile of 6 x 16 sums fills twelve vector registers; each step along k broadcasts six values of x and
// reads two vectors of the panel, one after the other in memory. Sums run over DEPTH products at a time, so that long
// rows lose nothing.

#ifndef ROWS  // rows of x that stay in the second-level cache, a multiple of 6
// tune: ROWS 24 48 96 192
#define ROWS 48
#endif
#ifndef DEPTH  // products that are added up in registers before their sum joins the total
// tune: DEPTH 128 512 2048
#define DEPTH 512
#endif
#ifndef PARALLEL_FROM  // multiply-adds below which one thread is faster than waking the others
#define PARALLEL_FROM 65536
#endif

template <int M>
INLINE void tile(const float* x, const float* panel, const float* bias, float* y, int64_t cols, int64_t n, int64_t k) {
  v8f total[M][2];
  for (auto& row : total) row[0] = row[1] = splat(0);
  for (int64_t from = 0; from < k; from += DEPTH) {
    v8f part[M][2];
    for (auto& row : part) row[0] = row[1] = splat(0);
    const int64_t end = std::min<int64_t>(k, from + DEPTH);
    for (int64_t d = from; d < end; ++d) {
      const v8f low = load(panel + 16 * d), high = load(panel + 16 * d + 8);
      for (int i = 0; i < M; ++i) {
        const v8f value = splat(x[i * k + d]);
        part[i][0] += value * low;
        part[i][1] += value * high;
      }
    }
    for (int i = 0; i < M; ++i)
      for (int h = 0; h < 2; ++h) total[i][h] += part[i][h];
  }
  for (int h = 0; h < 2; ++h) {
    const int64_t at = 8 * h, count = cols - at;
    if (count <= 0) break;
    const v8f add = !bias ? splat(0) : count >= 8 ? load(bias + at) : load_first(bias + at, count);
    for (int i = 0; i < M; ++i)
      if (count >= 8)
        store(y + i * n + at, total[i][h] + add);
      else
        store_first(y + i * n + at, total[i][h] + add, count);
  }
}

extern "C" void packed_linear(const float* x, const float* panels, const float* bias, float* y, int64_t m, int64_t n,
                              int64_t k) {
  const int64_t wide = (n + 15) / 16, tall = (m + ROWS - 1) / ROWS;
#pragma omp parallel for schedule(static) if (m * n * k >= PARALLEL_FROM)
  for (int64_t item = 0; item < wide * tall; ++item) {
    const int64_t col = item / tall * 16, first = item % tall * ROWS, last = std::min<int64_t>(m, first + ROWS);
    const float *panel = panels + col * k, *add = bias ? bias + col : nullptr;
    const int64_t cols = std::min<int64_t>(16, n - col);
    for (int64_t row = first; row < last;) {
      const float* in = x + row * k;
      float* out = y + row * n + col;
      const int64_t take = last - row >= 6 ? 6 : last - row >= 3 ? 3 : 1;
      if (take == 6)
        tile<6>(in, panel, add, out, cols, n, k);
      else if (take == 3)
        tile<3>(in, panel, add, out, cols, n, k);
      else
        tile<1>(in, panel, add, out, cols, n, k);
      row += take;
    }
  }
}

// y = gelu(x @ weight.T + bias), the product included, or as an epilogue over a product made elsewhere.
//
// x: [m, k], weight: [n, k], bias: [n] or null, y: [m, n]; all contiguous float32.
// approximate: 0 for the exact gelu (erf), 1 for the tanh form.
//   linear_gelu(x, weight, bias, y, m, n, k, approximate)
//   bias_gelu(y, bias, rows, cols, approximate)  in place
// Why it is fast: both operands lie along k, so a register tile of 3 x 4 dot products needs no packing: seven loads
// feed twelve multiply-adds. Bias and gelu are applied while the tile is in registers and the line in the cache.

#ifndef BLOCK_M  // rows of x that stay in the second-level cache, a multiple of 3
#define BLOCK_M 48
#endif
#ifndef BLOCK_N  // outputs per task, a multiple of 4
#define BLOCK_N 64
#endif
#ifndef PARALLEL_FROM  // multiply-adds below which one thread is faster than waking the others
#define PARALLEL_FROM 65536
#endif
#ifndef EPILOGUE_PARALLEL_FROM  // the same for bias_gelu, in elements
#define EPILOGUE_PARALLEL_FROM 16384
#endif

INLINE v8f gelu(v8f x, int approximate) {
  if (!approximate) return 0.5f * x * (1.0f + erf(x * 0.707106781f));
  const v8f u = 0.797884561f * (x + 0.044715f * x * x * x);
  return x / (1.0f + exp(-2.0f * u));
}

// The sums of four vectors, side by side.
INLINE v4f sum4(const v8f* v) {
  v4f t[4];
  for (int i = 0; i < 4; ++i)
    t[i] = __builtin_shufflevector(v[i], v[i], 0, 1, 2, 3) + __builtin_shufflevector(v[i], v[i], 4, 5, 6, 7);
  const v4f a = __builtin_shufflevector(t[0], t[1], 0, 4, 1, 5) + __builtin_shufflevector(t[0], t[1], 2, 6, 3, 7);
  const v4f b = __builtin_shufflevector(t[2], t[3], 0, 4, 1, 5) + __builtin_shufflevector(t[2], t[3], 2, 6, 3, 7);
  return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}

// y[i][j] = a[i] . b[j] for M rows of a and N rows of b.
template <int M, int N>
INLINE void dots(const float* a, const float* b, float* y, int64_t k, int64_t stride_y) {
  v8f total[M][N];
  for (auto& row : total)
    for (v8f& t : row) t = splat(0);
  int64_t d = 0;
  for (; d + 8 <= k; d += 8) {
    v8f left[M];
    for (int i = 0; i < M; ++i) left[i] = hold(load(a + i * k + d));
    for (int j = 0; j < N; ++j) {
      const v8f right = hold(load(b + j * k + d));
      for (int i = 0; i < M; ++i) total[i][j] += left[i] * right;
    }
  }
  for (int i = 0; i < M; ++i) {
    if constexpr (N == 4) {
      const v4f sums = sum4(total[i]);
      std::memcpy(y + i * stride_y, &sums, sizeof sums);
    } else {
      for (int j = 0; j < N; ++j) y[i * stride_y + j] = sum(total[i][j]);
    }
  }
  for (; d < k; ++d)
    for (int i = 0; i < M; ++i)
      for (int j = 0; j < N; ++j) y[i * stride_y + j] += a[i * k + d] * b[j * k + d];
}

template <int M>
INLINE void dots_row(const float* a, const float* b, float* y, int64_t count, int64_t k, int64_t stride_y) {
  if (count == 4)
    dots<M, 4>(a, b, y, k, stride_y);
  else
    for (int64_t j = 0; j < count; ++j) dots<M, 1>(a, b + j * k, y + j, k, stride_y);
}

INLINE void finish_row(float* y, const float* bias, int64_t n, int approximate) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) store(y + i, gelu(load(y + i) + (bias ? load(bias + i) : splat(0)), approximate));
  if (const int64_t rest = n - i; rest > 0)
    store_first(y + i, gelu(load_first(y + i, rest) + (bias ? load_first(bias + i, rest) : splat(0)), approximate),
                rest);
}

static void block(const float* x, const float* weight, const float* bias, float* y, int64_t rows, int64_t cols,
                  int64_t k, int64_t n, int approximate) {
  for (int64_t j = 0; j < cols; j += 4) {
    const int64_t count = std::min<int64_t>(4, cols - j);
    for (int64_t i = 0; i < rows;) {
      const int64_t left = rows - i, take = left == 2 || left == 4 ? 2 : std::min<int64_t>(left, 3);
      const float *a = x + i * k, *b = weight + j * k;
      float* out = y + i * n + j;
      if (take == 3)
        dots_row<3>(a, b, out, count, k, n);
      else if (take == 2)
        dots_row<2>(a, b, out, count, k, n);
      else
        dots_row<1>(a, b, out, count, k, n);
      i += take;
    }
  }
  for (int64_t i = 0; i < rows; ++i) finish_row(y + i * n, bias, cols, approximate);
}

extern "C" void linear_gelu(const float* x, const float* weight, const float* bias, float* y, int64_t m, int64_t n,
                            int64_t k, int approximate) {
  const int64_t tall = (m + BLOCK_M - 1) / BLOCK_M, wide = (n + BLOCK_N - 1) / BLOCK_N;
#pragma omp parallel for schedule(static) if (m * n * k >= PARALLEL_FROM)
  for (int64_t item = 0; item < tall * wide; ++item) {
    const int64_t row = item % tall * BLOCK_M, col = item / tall * BLOCK_N;
    block(x + row * k, weight + col * k, bias ? bias + col : nullptr, y + row * n + col,
          std::min<int64_t>(BLOCK_M, m - row), std::min<int64_t>(BLOCK_N, n - col), k, n, approximate);
  }
}

extern "C" void bias_gelu(float* y, const float* bias, int64_t rows, int64_t cols, int approximate) {
#pragma omp parallel for schedule(static) if (rows * cols >= EPILOGUE_PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) finish_row(y + row * cols, bias, cols, approximate);
}

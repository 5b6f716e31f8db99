// Cross-entropy of logits against class indices: loss[row] = log(sum(exp(x - max))) + max - x[target].
//
// logits: [rows, classes], contiguous float32; target: [rows] int64. Rows whose target is ignore_index have loss 0
// and do not count in the mean (PyTorch's default is -100). Both functions return 0, or -1 where a target lies
// outside [0, classes), whose loss is then NaN.
//   cross_entropy:       loss is one float, the mean over the rows that count (NaN where none does)
//   cross_entropy_rows:  loss is [rows]
// Why it is fast: eager writes all log-probabilities to memory and picks one per row; this writes nothing. A row is
// read once from memory: each chunk finds its maximum, then sums its exponentials from the first-level cache, and the
// running sum is rescaled when the maximum grows.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef CHUNK  // floats per chunk: fits the first-level cache; a multiple of 8 * UNROLL
#define CHUNK 2048
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

INLINE float chunk_maximum(const float* x, int64_t n) {
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

INLINE float chunk_exp_sum(const float* x, int64_t n, float shift) {
  v8f total[UNROLL];
  for (v8f& t : total) t = splat(0);
  int64_t i = 0;
  for (; i + 8 * UNROLL <= n; i += 8 * UNROLL)
    for (int u = 0; u < UNROLL; ++u) total[u] += exp_negative(load(x + i + 8 * u) - shift);
  for (; i + 8 <= n; i += 8) total[0] += exp_negative(load(x + i) - shift);
  if (i < n) total[0] += exp_negative(load_first(x + i, n - i, -INF) - shift);
  for (int u = 1; u < UNROLL; ++u) total[0] += total[u];
  return sum(total[0]);
}

INLINE double log_sum_exp(const float* x, int64_t n) {
  float shift = -INF;
  double total = 0;
  for (int64_t i = 0; i < n; i += CHUNK) {
    const int64_t length = std::min<int64_t>(CHUNK, n - i);
    const float highest = chunk_maximum(x + i, length);
    if (highest > shift) {
      total *= std::exp(static_cast<double>(shift) - highest);
      shift = highest;
    }
    // A chunk of nothing but -inf and NaN leaves no finite shift: exp(x - 0) keeps both as they are.
    total += chunk_exp_sum(x + i, length, shift == -INF ? 0.0f : shift);
  }
  return std::log(total) + (shift == -INF ? 0.0f : shift);
}

static int row_losses(const float* logits, const int64_t* target, double* loss, int64_t rows, int64_t classes,
                      int64_t ignore_index) {
  int outside = 0;
#pragma omp parallel for schedule(static) reduction(| : outside) if (rows * classes >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t wanted = target[row];
    const float* x = logits + row * classes;
    if (wanted == ignore_index) {
      loss[row] = 0;
    } else if (wanted < 0 || wanted >= classes) {
      loss[row] = std::numeric_limits<double>::quiet_NaN();
      outside |= 1;
    } else {
      loss[row] = log_sum_exp(x, classes) - x[wanted];
    }
  }
  return -outside;
}

extern "C" int cross_entropy_rows(const float* logits, const int64_t* target, float* loss, int64_t rows,
                                  int64_t classes, int64_t ignore_index) {
  const std::unique_ptr<double[]> losses(new double[rows]);
  const int status = row_losses(logits, target, losses.get(), rows, classes, ignore_index);
  std::copy(losses.get(), losses.get() + rows, loss);
  return status;
}

extern "C" int cross_entropy(const float* logits, const int64_t* target, float* loss, int64_t rows, int64_t classes,
                             int64_t ignore_index) {
  const std::unique_ptr<double[]> losses(new double[rows]);
  const int status = row_losses(logits, target, losses.get(), rows, classes, ignore_index);
  double total = 0, counted = 0;
  for (int64_t row = 0; row < rows; ++row) {
    total += losses[row];
    counted += target[row] != ignore_index;
  }
  *loss = static_cast<float>(total / counted);
  return status;
}

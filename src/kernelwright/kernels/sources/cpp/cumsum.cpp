// Inclusive prefix sum over the last dimension: y[i] = x[0] + ... + x[i].
//
// x, y: [rows, cols], contiguous float32; y may be x. Sums are carried in float64, as PyTorch does on the CPU.
// Why it is fast: PyTorch adds one element after the other, so that each waits for the last. Here four elements are
// scanned in a register by two shifted additions, and only their total waits in line. Where there are fewer rows than
// threads, a long row is cut into parts: part totals first, then every part scans from its offset.

#ifdef _OPENMP
#include <omp.h>
#endif

#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif
#ifndef SPLIT_FROM  // columns from which a row may be cut into parts
#define SPLIT_FROM 65536
#endif

INLINE v4d widen(const float* p) {
  v4f v;
  std::memcpy(&v, p, sizeof v);
#ifdef __AVX2__
  return (v4d)_mm256_cvtps_pd((__m128)v);
#else
  return __builtin_convertvector(v, v4d);
#endif
}

INLINE void narrow(float* p, v4d v) {
  const v4f f = __builtin_convertvector(v, v4f);
  std::memcpy(p, &f, sizeof f);
}

INLINE v4d scan4(v4d v) {
  const v4d zero = {0, 0, 0, 0};
  v += __builtin_shufflevector(v, zero, 4, 0, 1, 2);
  return v + __builtin_shufflevector(v, zero, 4, 5, 0, 1);
}

INLINE v4d last_of(v4d v) { return __builtin_shufflevector(v, v, 3, 3, 3, 3); }

static void scan(const float* x, float* y, int64_t n, double before) {
  v4d carry = {before, before, before, before};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const v4d low = scan4(widen(x + i)), high = scan4(widen(x + i + 4)) + last_of(low);
    narrow(y + i, low + carry);
    narrow(y + i + 4, high + carry);
    carry += last_of(high);
  }
  double total = carry[0];
  for (; i < n; ++i) y[i] = static_cast<float>(total += x[i]);
}

static double total_of(const float* x, int64_t n) {
  v4d a = {0, 0, 0, 0}, b = a;
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) a += widen(x + i), b += widen(x + i + 4);
  a += b;
  double total = (a[0] + a[1]) + (a[2] + a[3]);
  for (; i < n; ++i) total += x[i];
  return total;
}

extern "C" void cumsum(const float* x, float* y, int64_t rows, int64_t cols) {
  int64_t parts = 1;
#ifdef _OPENMP
  if (cols >= SPLIT_FROM && rows < omp_get_max_threads()) parts = omp_get_max_threads();
#endif
  if (parts == 1) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
    for (int64_t row = 0; row < rows; ++row) scan(x + row * cols, y + row * cols, cols, 0);
    return;
  }
  const std::unique_ptr<double[]> offset(new double[parts]);
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < parts; ++p)
      offset[p] = total_of(in + cols * p / parts, cols * (p + 1) / parts - cols * p / parts);
    double before = 0;
    for (int64_t p = 0; p < parts; ++p) std::swap(before, offset[p]), before += offset[p];
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < parts; ++p)
      scan(in + cols * p / parts, out + cols * p / parts, cols * (p + 1) / parts - cols * p / parts, offset[p]);
  }
}

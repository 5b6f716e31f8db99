// y = x @ w.T for weights stored as 4-bit levels: w[n, k] = (nibble[n, k] - zeros[n, g]) * scales[n, g], g = k / group.
//
// x: [m, k] float32, m small (1 to 8 is the case it is made for, any m is right); y: [m, n] float32.
// packed: [n, k / 2] uint8, the even k in the low half of a byte; k even.
// scales: [n, groups] float32; zeros: the same, or null for none; groups divides k, group = k / groups is even.
// All contiguous.
// Why it is fast: eager writes the dequantised weights to memory several times over; this reads the packed bytes once
// and dequantises in registers. x is split into its even and odd elements beforehand, so that low and high halves of
// eight bytes multiply eight neighbours each, and up to TOKENS rows of x share the unpacking.

#ifndef TOKENS  // rows of x that share one unpacking: 1, 2, 4 or 8
#define TOKENS 4
#endif
#ifndef PARALLEL_FROM  // weights below which one thread is faster than waking the others
#define PARALLEL_FROM 65536
#endif

INLINE v8i unpack(const uint8_t* p) {
#ifdef __AVX2__
  return (v8i)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
#else
  return v8i{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
#endif
}

INLINE v8f to_float(v8i v) { return __builtin_convertvector(v, v8f); }

// M rows of x against one row of w. even and odd hold row m of x at m * pairs.
template <int M>
INLINE void dot_row(const float* even, const float* odd, const uint8_t* packed, const float* scales,
                    const float* zeros, float* y, int64_t stride_y, int64_t pairs, int64_t groups) {
  const int64_t group = pairs / groups;
  v8f total[M];
  for (v8f& t : total) t = splat(0);
  for (int64_t g = 0; g < groups; ++g) {
    const float zero = zeros ? zeros[g] : 0.0f;
    v8f part[M];
    for (v8f& t : part) t = splat(0);
    const int64_t end = (g + 1) * group;
    int64_t i = g * group;
    for (; i + 8 <= end; i += 8) {
      const v8i bytes = unpack(packed + i);
      const v8f low = to_float(bytes & 15) - zero, high = to_float(bytes >> 4) - zero;
      for (int m = 0; m < M; ++m) {
        part[m] += low * load(even + m * pairs + i);
        part[m] += high * load(odd + m * pairs + i);
      }
    }
    for (; i < end; ++i)
      for (int m = 0; m < M; ++m)
        part[m][0] += (static_cast<float>(packed[i] & 15) - zero) * even[m * pairs + i] +
                      (static_cast<float>(packed[i] >> 4) - zero) * odd[m * pairs + i];
    for (int m = 0; m < M; ++m) total[m] += part[m] * scales[g];
  }
  for (int m = 0; m < M; ++m) y[m * stride_y] = sum(total[m]);
}

// Rows [0, m) of x, at most TOKENS of them.
static void dot_rows(int64_t m, const float* even, const float* odd, const uint8_t* packed, const float* scales,
                     const float* zeros, float* y, int64_t stride_y, int64_t pairs, int64_t groups) {
  const auto run = [&](auto count) {
    constexpr int M = decltype(count)::value;
    dot_row<M>(even, odd, packed, scales, zeros, y, stride_y, pairs, groups);
    even += M * pairs, odd += M * pairs, y += M * stride_y, m -= M;
  };
  while (m >= TOKENS) run(std::integral_constant<int, TOKENS>());
  if (TOKENS > 4 && m >= 4) run(std::integral_constant<int, 4>());
  if (TOKENS > 2 && m >= 2) run(std::integral_constant<int, 2>());
  if (m >= 1) run(std::integral_constant<int, 1>());
}

extern "C" void int4_gemv(const float* x, const uint8_t* packed, const float* scales, const float* zeros, float* y,
                          int64_t m, int64_t n, int64_t k, int64_t groups) {
  const int64_t pairs = k / 2;
  const std::unique_ptr<float[]> split(new float[2 * m * pairs]);
  float *even = split.get(), *odd = even + m * pairs;
  for (int64_t i = 0; i < m * pairs; ++i) even[i] = x[2 * i], odd[i] = x[2 * i + 1];
#pragma omp parallel for schedule(static) if (n * k >= PARALLEL_FROM)
  for (int64_t row = 0; row < n; ++row)
    for (int64_t first = 0; first < m; first += TOKENS)
      dot_rows(std::min<int64_t>(TOKENS, m - first), even + first * pairs, odd + first * pairs, packed + row * pairs,
               scales + row * groups, zeros ? zeros + row * groups : nullptr, y + first * n + row, n, pairs, groups);
}

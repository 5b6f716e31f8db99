// Mean and mean square of a row around a center: float32 within a block, float64 between blocks.

#ifndef UNROLL  // independent accumulators: 1, 2, 4 or 8
#define UNROLL 4
#endif
#ifndef BLOCK  // floats summed in float32 before the float64 total takes over; a multiple of 8 * UNROLL
#define BLOCK 4096
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

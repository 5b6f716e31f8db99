// The k largest entries of every row in descending order, and where they are: torch.topk(x, k, dim=-1).
//
// x: [rows, cols], contiguous float32; values: [rows, k] float32; indices: [rows, k] int64; 1 <= k <= cols.
// NaN counts as the largest value, as in PyTorch; of equal values the earlier index comes first.
// Why it is fast: PyTorch copies a row into pairs and partially sorts them all. Here eight lanes at a time are compared
// with the k-th largest value so far, and nearly all fail that test; the few that pass go to a buffer, which is cut
// back to its k largest whenever it is full. An entry is one 64-bit number (order-preserving bits of the value above
// the inverted index), so that selecting and sorting compare integers.

#ifndef SLACK  // buffer room beyond 2 * k: more means fewer but longer cut-backs
#define SLACK 128
#endif
#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

INLINE uint64_t entry(float value, int64_t index) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  if (value != value) bits = 0xFFFFFFFFu;
  return static_cast<uint64_t>(bits) << 32 | (0xFFFFFFFFu - static_cast<uint32_t>(index));
}

INLINE int64_t index_of(uint64_t e) { return 0xFFFFFFFFu - static_cast<uint32_t>(e); }

INLINE int passing(v8f x, v8f bound) {  // bit i: x[i] > bound[i], or one of them is NaN
#ifdef __AVX2__
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)x, (__m256)bound, _CMP_NLE_UQ));
#else
  int bits = 0;
  for (int i = 0; i < 8; ++i) bits |= !(x[i] <= bound[i]) << i;
  return bits;
#endif
}

constexpr auto larger_first = [](uint64_t a, uint64_t b) { return a > b; };

// The k largest of `count` entries move to the front; returns the smallest of them.
INLINE uint64_t cut(uint64_t* buffer, int64_t count, int64_t k) {
  std::nth_element(buffer, buffer + k - 1, buffer + count, larger_first);
  return buffer[k - 1];
}

static void row_topk(const float* x, uint64_t* buffer, float* values, int64_t* indices, int64_t cols, int64_t k) {
  const int64_t room = 2 * k + SLACK;
  int64_t count = std::min(cols, room), i = count;
  for (int64_t j = 0; j < count; ++j) buffer[j] = entry(x[j], j);
  uint64_t lowest = cut(buffer, count, k);
  float bound = x[index_of(lowest)];
  count = k;
  const auto offer = [&](int64_t j) {
    if (const uint64_t e = entry(x[j], j); e > lowest) buffer[count++] = e;
    if (count == room) {
      lowest = cut(buffer, count, k);
      bound = x[index_of(lowest)];
      count = k;
    }
  };
  for (; i + 32 <= cols; i += 32) {
    const v8f b = splat(bound);
    uint32_t bits = 0;
    for (int u = 0; u < 4; ++u) bits |= static_cast<uint32_t>(passing(load(x + i + 8 * u), b)) << 8 * u;
    for (; bits; bits &= bits - 1) offer(i + __builtin_ctz(bits));
  }
  for (; i < cols; ++i) offer(i);
  cut(buffer, count, k);
  std::sort(buffer, buffer + k, larger_first);
  for (int64_t j = 0; j < k; ++j) {
    indices[j] = index_of(buffer[j]);
    values[j] = x[indices[j]];
  }
}

extern "C" void topk(const float* x, float* values, int64_t* indices, int64_t rows, int64_t cols, int64_t k) {
#pragma omp parallel if (rows * cols >= PARALLEL_FROM)
  {
    const std::unique_ptr<uint64_t[]> buffer(new uint64_t[2 * k + SLACK]);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row)
      row_topk(x + row * cols, buffer.get(), values + row * k, indices + row * k, cols, k);
  }
}

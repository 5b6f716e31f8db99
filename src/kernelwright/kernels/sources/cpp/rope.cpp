// Rotary position embedding, rotate-half form: y = x * cos + concat(-x[half:], x[:half]) * sin.
//
// x, y: [outer, length, dim], contiguous float32, dim even, y may be x; cos, sin: [length, dim].
// Why it is fast: eager makes a negated copy, a concatenation, two products and a sum; this reads x once and writes y
// once, eight lanes of both halves at a time.

#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

extern "C" void rope(const float* x, const float* cos, const float* sin, float* y, int64_t outer, int64_t length,
                     int64_t dim) {
  const int64_t half = dim / 2;
#pragma omp parallel for schedule(static) if (outer * length * dim >= PARALLEL_FROM)
  for (int64_t row = 0; row < outer * length; ++row) {
    const float *first = x + row * dim, *second = first + half;
    const float *c = cos + row % length * dim, *s = sin + row % length * dim;
    float* out = y + row * dim;
    const auto rotate = [&](int64_t i, auto get, auto put) {
      const v8f a = get(first + i), b = get(second + i);
      put(out + i, a * get(c + i) - b * get(s + i));
      put(out + half + i, b * get(c + half + i) + a * get(s + half + i));
    };
    int64_t i = 0;
    for (; i + 8 <= half; i += 8)
      rotate(i, [](const float* p) { return load(p); }, [](float* p, v8f v) { store(p, v); });
    if (const int64_t rest = half - i; rest > 0)
      rotate(i, [rest](const float* p) { return load_first(p, rest); },
             [rest](float* p, v8f v) { store_first(p, v, rest); });
  }
}

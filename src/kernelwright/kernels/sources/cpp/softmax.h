// softmax over n of [outer, n, inner], of items that are computed on the way in: three passes over a row, or over a
// block of columns, that stays in a near cache. `values(i)` gives eight items from place i on, `first(i, count)` the
// first `count` of them. LOG: y = x - max - log(sum(exp(x - max))); else y = exp(x - max) / sum(exp(x - max)).

constexpr int64_t BLOCK = 4096, VECTORS = 8;

template <bool LOG, class Values, class First>
static void softmax_row(float* y, int64_t n, Values values, First first) {
  const v8i lane = {0, 1, 2, 3, 4, 5, 6, 7};
  v8f best = splat(-INF);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const v8f v = values(i);
    store(y + i, v);
    best = maximum(best, v);
  }
  if (const int64_t rest = n - i; rest > 0) {
    const v8f v = first(i, rest);
    store_first(y + i, v, rest);
    best = maximum(best, choose(lane < static_cast<int32_t>(rest), v, splat(-INF)));
  }
  float shift = best[0];
  for (int j = 1; j < 8; ++j) shift = best[j] > shift || best[j] != best[j] ? best[j] : shift;
  double total = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    const int64_t end = std::min(n, start + BLOCK);
    v8f part[2] = {splat(0), splat(0)};
    for (i = start; i + 8 <= end; i += 8) {
      const v8f e = exp_negative(load(y + i) - shift);
      if (!LOG) store(y + i, e);
      part[i / 8 % 2] += e;
    }
    if (const int64_t rest = end - i; rest > 0) {
      const v8f e = exp_negative(load_first(y + i, rest, -INF) - shift);
      if (!LOG) store_first(y + i, e, rest);
      part[0] += choose(lane < static_cast<int32_t>(rest), e, splat(0));
    }
    total += sum(part[0] + part[1]);
  }
  if (LOG) {
    const float less = static_cast<float>(std::log(total));
    for (i = 0; i < n; ++i) y[i] = (y[i] - shift) - less;
  } else {
    const float scale = static_cast<float>(1.0 / total);
    for (i = 0; i < n; ++i) y[i] *= scale;
  }
}

// A block of at most 64 neighbouring columns.
template <bool LOG, class Values, class First>
static void softmax_columns(float* y, int64_t n, int64_t inner, int64_t width, Values values, First first) {
  v8f best[VECTORS], total[VECTORS];
  for (int64_t j = 0; j < VECTORS; ++j) best[j] = splat(-INF), total[j] = splat(0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; 8 * j < width; ++j) {
      const int64_t at = i * inner + 8 * j, rest = width - 8 * j;
      const v8f v = rest >= 8 ? values(at) : first(at, rest);
      if (rest >= 8) store(y + at, v);
      else store_first(y + at, v, rest);
      best[j] = maximum(best[j], v);
    }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; 8 * j < width; ++j) {
      const int64_t at = i * inner + 8 * j, rest = width - 8 * j;
      const v8f e = exp_negative((rest >= 8 ? load(y + at) : load_first(y + at, rest)) - best[j]);
      if (!LOG && rest >= 8) store(y + at, e);
      if (!LOG && rest < 8) store_first(y + at, e, rest);
      total[j] += e;
    }
  for (int64_t j = 0; 8 * j < width; ++j) total[j] = LOG ? log(total[j]) : 1.0f / total[j];
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; 8 * j < width; ++j) {
      const int64_t at = i * inner + 8 * j, rest = width - 8 * j;
      const v8f v = rest >= 8 ? load(y + at) : load_first(y + at, rest);
      const v8f result = LOG ? (v - best[j]) - total[j] : v * total[j];
      if (rest >= 8) store(y + at, result);
      else store_first(y + at, result, rest);
    }
}

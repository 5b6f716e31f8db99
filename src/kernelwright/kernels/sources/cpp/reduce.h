// Reductions of [outer, n, inner] over n. `values(k)` gives eight items from place k on, `first(k, count)` the first
// `count` of them. Sums go into floats for a short way and then into doubles, so that their error does not grow with n.

constexpr int64_t SPAN = 1024, PIECE = 16384, STEPS = 64, VECTORS = 8;

typedef double v8d __attribute__((vector_size(64)));

struct Sum {
  using Part = v8f;
  static constexpr double start = 0;
  template <class V> static inline __attribute__((always_inline)) V join(V a, V b) { return a + b; }
};
struct Product {
  using Part = v8d;
  static constexpr double start = 1;
  template <class V> static inline __attribute__((always_inline)) V join(V a, V b) { return a * b; }
};
struct Maximum {
  using Part = v8f;
  static constexpr double start = -INF;
  template <class V> static inline __attribute__((always_inline)) V join(V a, V b) { return a > b ? a : (b >= a ? b : a + b); }
};
struct Minimum {
  using Part = v8f;
  static constexpr double start = INF;
  template <class V> static inline __attribute__((always_inline)) V join(V a, V b) { return a < b ? a : (b <= a ? b : a + b); }
};

INLINE v8i lanes_below(int64_t count) { return v8i{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count); }

template <class Op>
INLINE void join_to(typename Op::Part& part, v8f v) {
  part = Op::join(part, __builtin_convertvector(v, typename Op::Part));
}

template <class Op>
INLINE double joined(typename Op::Part v) {
  double total = v[0];
  for (int lane = 1; lane < 8; ++lane) total = Op::join(total, static_cast<double>(v[lane]));
  return total;
}

template <class Op, class Values, class First>
static double reduce_span(int64_t begin, int64_t end, Values values, First first) {
  double total = Op::start;
  for (int64_t from = begin; from < end; from += SPAN) {
    const int64_t to = std::min(end, from + SPAN);
    const typename Op::Part start = typename Op::Part{} + Op::start;
    typename Op::Part part[4] = {start, start, start, start};
    int64_t k = from;
    for (; k + 32 <= to; k += 32)
      for (int j = 0; j < 4; ++j) join_to<Op>(part[j], values(k + 8 * j));
    for (; k + 8 <= to; k += 8) join_to<Op>(part[0], values(k));
    if (const int64_t rest = to - k; rest > 0)
      join_to<Op>(part[1], choose(lanes_below(rest), first(k, rest), splat(Op::start)));
    const typename Op::Part all = Op::join(Op::join(part[0], part[1]), Op::join(part[2], part[3]));
    total = Op::join(total, joined<Op>(all));
  }
  return total;
}

// Over the last dimension: long rows are shared out in pieces.
template <class Op, class T, class Values, class First, class Finish>
static void reduce_rows(int64_t rows, int64_t n, T* y, Values values, First first, Finish finish) {
  const int64_t pieces = std::max<int64_t>(1, (n + PIECE - 1) / PIECE);
  const std::unique_ptr<double[]> parts(new double[rows * pieces]);
#pragma omp parallel for schedule(static) if (rows * n >= 16384)
  for (int64_t job = 0; job < rows * pieces; ++job) {
    const int64_t row = job / pieces, from = job % pieces * PIECE;
    parts[job] = reduce_span<Op>(row * n + from, row * n + std::min(n, from + PIECE), values, first);
  }
  for (int64_t row = 0; row < rows; ++row) {
    double total = Op::start;
    for (int64_t piece = 0; piece < pieces; ++piece) total = Op::join(total, parts[row * pieces + piece]);
    store_first(y + row, splat(finish(total)), 1);
  }
}

// Over an earlier dimension: neighbouring columns lie in lanes.
template <class Op, class T, class Values, class First, class Finish>
static void reduce_columns(
    int64_t outer, int64_t n, int64_t inner, T* y, Values values, First first, Finish finish) {
  constexpr int64_t WIDTH = 8 * VECTORS;
  const int64_t blocks = (inner + WIDTH - 1) / WIDTH;
#pragma omp parallel for schedule(static) if (outer * n * inner >= 16384)
  for (int64_t job = 0; job < outer * blocks; ++job) {
    const int64_t row = job / blocks, from = job % blocks * WIDTH, width = std::min(WIDTH, inner - from);
    const typename Op::Part start = typename Op::Part{} + Op::start;
    typename Op::Part total[VECTORS];
    for (auto& one : total) one = start;
    for (int64_t begin = 0; begin < n; begin += STEPS) {
      typename Op::Part part[VECTORS];
      for (auto& one : part) one = start;
      for (int64_t i = begin; i < std::min(n, begin + STEPS); ++i) {
        const int64_t base = (row * n + i) * inner + from;
        if (width == WIDTH) {
          for (int64_t j = 0; j < VECTORS; ++j) join_to<Op>(part[j], values(base + 8 * j));
        } else {
          int64_t j = 0;
          for (; 8 * j + 8 <= width; ++j) join_to<Op>(part[j], values(base + 8 * j));
          if (8 * j < width) join_to<Op>(part[j], first(base + 8 * j, width - 8 * j));
        }
      }
      for (int64_t j = 0; j < VECTORS; ++j) total[j] = Op::join(total[j], part[j]);
    }
    for (int64_t j = 0; 8 * j < width; ++j) {
      v8f result;
      for (int lane = 0; lane < 8; ++lane) result[lane] = finish(total[j][lane]);
      store_first(y + row * inner + from + 8 * j, result, std::min<int64_t>(8, width - 8 * j));
    }
  }
}

// Whether a value takes the place of the best one: NaN before all others.
INLINE v8i is_better(v8f value, v8f best, bool greatest) {
  const v8i better = greatest ? value > best : value < best;
  return better | ((value != value) & (best == best));
}

// The first place of the greatest or least item along n, and the item.
template <class T, class Values, class First>
static void find_best(
    int64_t outer, int64_t n, int64_t inner, T* y, int64_t* at, bool greatest, Values values, First first) {
  const v8f worst = splat(greatest ? -INF : INF);
#pragma omp parallel for schedule(static) if (outer * n * inner >= 16384)
  for (int64_t row = 0; row < outer; ++row) {
    if (inner == 1) {
      v8f best = worst;
      v8i step = {};
      for (int64_t k = 0; k < n; k += 8) {
        const int64_t place = row * n + k;
        const v8f v = k + 8 <= n ? values(place) : choose(lanes_below(n - k), first(place, n - k), worst);
        const v8i better = is_better(v, best, greatest);
        best = better ? v : best;
        step = better ? v8i{} + static_cast<int32_t>(k / 8) : step;
      }
      float value = best[0];
      int64_t place = 8 * static_cast<int64_t>(step[0]);
      for (int lane = 1; lane < std::min<int64_t>(8, n); ++lane) {
        const int64_t other = 8 * static_cast<int64_t>(step[lane]) + lane;
        const bool wins = greatest ? best[lane] > value : best[lane] < value;
        const bool is_nan = best[lane] != best[lane], was_nan = value != value;
        const bool same = best[lane] == value || (is_nan && was_nan);
        if (wins || (is_nan && !was_nan) || (same && other < place)) value = best[lane], place = other;
      }
      if (y) store_first(y + row, splat(value), 1);
      at[row] = place;
      continue;
    }
    for (int64_t from = 0; from < inner; from += 8) {
      const int64_t width = std::min<int64_t>(8, inner - from);
      v8f best = worst;
      v8i step = {};
      for (int64_t i = 0; i < n; ++i) {
        const int64_t place = (row * n + i) * inner + from;
        const v8f v = width == 8 ? values(place) : first(place, width);
        const v8i better = is_better(v, best, greatest);
        best = better ? v : best;
        step = better ? v8i{} + static_cast<int32_t>(i) : step;
      }
      if (y) store_first(y + row * inner + from, best, width);
      for (int64_t lane = 0; lane < width; ++lane) at[row * inner + from + lane] = step[lane];
    }
  }
}

// softmax(q @ k.T * scale) @ v for every head, without ever storing the scores (flash attention, one pass).
//
// q: [heads, queries, dim], k: [heads, keys, dim], v: [heads, keys, dim], y: [heads, queries, dim], contiguous float32.
// scale: above zero, usually 1 / sqrt(dim). causal: query i sees keys up to i + keys - queries, that is both sequences
// end together (PyTorch's is_causal starts them together; the two agree where the lengths are equal).
// Why it is fast: a block of QUERIES rows meets one block of KEYS after the other; its scores live in the cache, its
// running maximum and sum rescale what was accumulated. Both products use a register tile of 6 x 16; keys are packed
// once per head so that sixteen of them lie side by side.

#ifndef QUERIES  // query rows per block, a multiple of 6
#define QUERIES 48
#endif
#ifndef KEYS  // keys per block, a multiple of 16
#define KEYS 128
#endif
#ifndef PARALLEL_FROM  // multiply-adds below which one thread is faster than waking the others
#define PARALLEL_FROM 65536
#endif

constexpr int TILE_M = 6, TILE_N = 16;

// c[6][16] = (ADD ? c : 0) + a[6][depth] @ b[depth][16]. Row i of a starts at i * ROW, its elements are STEP apart:
// constants, so that the six addresses cost nothing. ldc is the length of c's rows.
template <bool ADD, int ROW, int STEP>
INLINE void tile(const float* a, const float* b, float* c, int64_t ldc, int64_t depth) {
  v8f left[TILE_M], right[TILE_M];
  for (int i = 0; i < TILE_M; ++i) {
    left[i] = ADD ? load(c + i * ldc) : splat(0);
    right[i] = ADD ? load(c + i * ldc + 8) : splat(0);
  }
  for (int64_t d = 0; d < depth; ++d) {
    const v8f b0 = load(b + d * TILE_N), b1 = load(b + d * TILE_N + 8);
    for (int i = 0; i < TILE_M; ++i) {
      const v8f s = splat(a[i * ROW + d * STEP]);
      left[i] += s * b0;
      right[i] += s * b1;
    }
  }
  for (int i = 0; i < TILE_M; ++i) {
    store(c + i * ldc, left[i]);
    store(c + i * ldc + 8, right[i]);
  }
}

INLINE int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// out[panel][d][WIDTH]: WIDTH rows of x side by side, zeros past the last row.
template <int WIDTH>
static void pack_transposed(const float* x, float* out, int64_t rows, int64_t dim) {
  for (int64_t row = 0; row < rows; row += WIDTH) {
    float* panel = out + row * dim;
    const int64_t here = std::min<int64_t>(WIDTH, rows - row);
    if (here < WIDTH) std::memset(panel, 0, WIDTH * dim * sizeof(float));
    for (int64_t r = 0; r < here; ++r)
      for (int64_t d = 0; d < dim; ++d) panel[d * WIDTH + r] = x[(row + r) * dim + d];
  }
}

// out[panel][row][16]: sixteen columns of x, zeros past the last column and the last row.
static void pack_columns(const float* x, float* out, int64_t rows, int64_t padded_rows, int64_t dim) {
  for (int64_t col = 0; col < dim; col += TILE_N) {
    float* panel = out + col * padded_rows;
    std::memset(panel, 0, padded_rows * TILE_N * sizeof(float));
    const int64_t here = std::min<int64_t>(TILE_N, dim - col);
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(panel + row * TILE_N, x + row * dim + col, here * sizeof(float));
  }
}

// Turns a row of scores into exponentials, updates its maximum and sum, returns the factor for what came before.
INLINE float soften(float* scores, int64_t visible, int64_t padded, float scale, float& highest, float& total) {
  v8f best = splat(-INF);
  int64_t i = 0;
  for (; i + 8 <= visible; i += 8) best = larger(best, load(scores + i));
  if (i < visible) best = larger(best, load_first(scores + i, visible - i, -INF));
  const float now = std::max(highest, maximum(best) * scale);
  const float shift = now == -INF ? 0.0f : now;
  v8f sums = splat(0);
  for (i = 0; i + 8 <= visible; i += 8) {
    const v8f e = exp_negative(load(scores + i) * scale - shift);
    store(scores + i, e);
    sums += e;
  }
  for (; i < padded; i += 8) {
    v8f e = splat(0);
    if (i < visible) {
      e = exp_negative(load_first(scores + i, visible - i, -INF) * scale - shift);
      sums += e;
    }
    store(scores + i, e);
  }
  const float factor = exp(splat(highest - shift))[0];
  total = total * factor + sum(sums);
  highest = now;
  return factor;
}

struct Head {
  const float *q, *k_packed, *v_packed;
  float* y;
  int64_t queries, keys, dim;
  float scale;
  bool causal;
};

struct Scratch {
  float *q, *scores, *out;
};

static void query_block(const Head& h, const Scratch& s, int64_t first) {
  const int64_t rows = std::min<int64_t>(QUERIES, h.queries - first), tall = round_up(rows, TILE_M);
  const int64_t wide = round_up(h.dim, TILE_N), padded_keys = round_up(h.keys, TILE_N);
  float highest[QUERIES], total[QUERIES];
  std::fill(highest, highest + tall, -INF);
  std::fill(total, total + tall, 0.0f);
  pack_transposed<TILE_M>(h.q + first * h.dim, s.q, rows, h.dim);
  std::memset(s.out, 0, tall * wide * sizeof(float));
  const int64_t offset = h.keys - h.queries;
  const int64_t end = h.causal ? std::min(h.keys, first + rows + offset) : h.keys;
  for (int64_t start = 0; start < end; start += KEYS) {
    const int64_t count = std::min<int64_t>(KEYS, end - start), padded = round_up(count, TILE_N);
    for (int64_t col = 0; col < padded; col += TILE_N)
      for (int64_t row = 0; row < tall; row += TILE_M)
        tile<false, 1, TILE_M>(s.q + row * h.dim, h.k_packed + (start + col) * h.dim, s.scores + row * KEYS + col, KEYS,
                               h.dim);
    for (int64_t row = 0; row < tall; ++row) {
      const int64_t visible = h.causal ? std::clamp<int64_t>(first + row + offset + 1 - start, 0, count) : count;
      const float factor = soften(s.scores + row * KEYS, visible, padded, h.scale, highest[row], total[row]);
      if (factor != 1.0f)
        for (int64_t d = 0; d < wide; ++d) s.out[row * wide + d] *= factor;
    }
    for (int64_t col = 0; col < wide; col += TILE_N)
      for (int64_t row = 0; row < tall; row += TILE_M)
        tile<true, KEYS, 1>(s.scores + row * KEYS, h.v_packed + col * padded_keys + start * TILE_N,
                            s.out + row * wide + col, wide, padded);
  }
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t d = 0; d < h.dim; ++d) h.y[(first + row) * h.dim + d] = s.out[row * wide + d] / total[row];
}

extern "C" void attention(const float* q, const float* k, const float* v, float* y, int64_t heads, int64_t queries,
                          int64_t keys, int64_t dim, float scale, int causal) {
  const int64_t wide = round_up(dim, TILE_N), padded_keys = round_up(keys, TILE_N);
  const int64_t blocks = (queries + QUERIES - 1) / QUERIES;
#pragma omp parallel if (heads * queries * keys * dim >= PARALLEL_FROM)
  {
    const std::unique_ptr<float[]> memory(
        new float[padded_keys * (dim + wide) + QUERIES * (dim + KEYS + wide)]);
    float *k_packed = memory.get(), *v_packed = k_packed + padded_keys * dim;
    float* rest = v_packed + padded_keys * wide;
    const Scratch scratch{rest, rest + QUERIES * dim, rest + QUERIES * (dim + KEYS)};
    int64_t packed = -1;
#pragma omp for schedule(static)
    for (int64_t item = 0; item < heads * blocks; ++item) {
      const int64_t head = item / blocks;
      if (head != packed) {
        pack_transposed<TILE_N>(k + head * keys * dim, k_packed, keys, dim);
        pack_columns(v + head * keys * dim, v_packed, keys, padded_keys, dim);
        packed = head;
      }
      query_block({q + head * queries * dim, k_packed, v_packed, y + head * queries * dim, queries, keys, dim, scale,
                   causal != 0},
                  scratch, item % blocks * QUERIES);
    }
  }
}

// Depthwise 2d convolution: every output channel is one input channel convolved with its own kernel.
//
// x: [batch, channels, height, width], weight: [channels * multiplier, 1, kernel_h, kernel_w],
// bias: [channels * multiplier] or null, y: [batch, channels * multiplier, out_h, out_w]; all contiguous float32.
// Any kernel size, stride, padding (zeros) and dilation; the last three are the same in both directions:
//   out_h = (height + 2 * padding - dilation * (kernel_h - 1) - 1) / stride + 1, out_w likewise.
// Why it is fast: libraries reorder such an input to a blocked layout and back. Here a band of rows is copied, zero
// padding included, to a scratch that stays in the first-level cache, one phase of the stride after the other, so that
// the inner loop has no edges and reads eight neighbours at once whatever the stride. ROWS output rows are computed
// together.

#ifndef ROWS  // output rows computed together: 1, 2 or 4
#define ROWS 4
#endif
#ifndef SCRATCH  // floats of scratch per thread, about the first-level cache
#define SCRATCH 8192
#endif
#ifndef PARALLEL_FROM  // multiply-adds below which one thread is faster than waking the others
#define PARALLEL_FROM 65536
#endif

struct Shape {
  int64_t height, width, kernel_h, kernel_w, stride, padding, dilation;
  int64_t out_h = (height + 2 * padding - dilation * (kernel_h - 1) - 1) / stride + 1;
  int64_t out_w = (width + 2 * padding - dilation * (kernel_w - 1) - 1) / stride + 1;
  // One phase of a padded row, with room for eight lanes past the last output; a row has `stride` of them.
  int64_t phase = (out_w + 7) / 8 * 8 + (kernel_w - 1) * dilation / stride + 1;
  int64_t pitch = phase * stride;
};

INLINE void fill_zero(float* p, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = 0;
}

// Copies n floats; short rows make calling memcpy the larger part of the work.
INLINE void copy(const float* from, float* to, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) store(to + i, load(from + i));
  if (i < n) store_first(to + i, load_first(from + i, n - i), n - i);
}

// Copies padded row `row` of a plane: column c goes to phase c % stride, place c / stride.
INLINE void copy_row(const float* plane, float* out, int64_t row, const Shape& s) {
  const int64_t from = row - s.padding, pitch = s.pitch;
  if (from < 0 || from >= s.height) return fill_zero(out, pitch);
  const float* in = plane + from * s.width;
  if (s.stride == 1) {
    const int64_t before = std::min(s.padding, pitch), inside = std::min(s.width, pitch - before);
    fill_zero(out, before);
    copy(in, out + before, inside);
    return fill_zero(out + before + inside, pitch - before - inside);
  }
  fill_zero(out, pitch);
  for (int64_t p = 0; p < s.stride; ++p) {
    const int64_t first = p >= s.padding ? 0 : (s.padding - p + s.stride - 1) / s.stride;
    for (int64_t i = first; i < s.phase && i * s.stride + p - s.padding < s.width; ++i)
      out[p * s.phase + i] = in[i * s.stride + p - s.padding];
  }
}

INLINE void store_rows(const v8f* total, int count, float* y, int64_t col, int64_t out_w) {
  for (int r = 0; r < count; ++r) {
    if (col + 8 <= out_w)
      store(y + r * out_w + col, total[r]);
    else
      store_first(y + r * out_w + col, total[r], out_w - col);
  }
}

// COUNT output rows of one plane; stride and dilation 1, kernel KERNEL x KERNEL: every input vector is loaded once and
// serves all the output rows that it belongs to.
template <int COUNT, int KERNEL>
INLINE void output_rows(const float* scratch, const float* weight, float bias, float* y, const Shape& s) {
  const int64_t out_w = s.out_w, pitch = s.pitch;
  v8f w[KERNEL * KERNEL];
  for (int i = 0; i < KERNEL * KERNEL; ++i) w[i] = splat(weight[i]);
  for (int64_t col = 0; col < out_w; col += 8) {
    v8f total[COUNT];
    for (v8f& t : total) t = splat(bias);
#pragma GCC unroll 16
    for (int row = 0; row < COUNT + KERNEL - 1; ++row)
#pragma GCC unroll 16
      for (int j = 0; j < KERNEL; ++j) {
        const v8f v = hold(load(scratch + row * pitch + col + j));
        for (int r = std::max(0, row - KERNEL + 1); r <= std::min(row, COUNT - 1); ++r)
          total[r] += w[(row - r) * KERNEL + j] * v;
      }
    store_rows(total, COUNT, y, col, out_w);
  }
}

// BLOCKS * 8 outputs of one row, whatever the kernel, stride and dilation.
template <int BLOCKS>
INLINE void output_columns(const float* scratch, const float* weight, float bias, float* y, int64_t col,
                           const Shape& s) {
  const int64_t out_w = s.out_w, pitch = s.pitch, phase = s.phase;
  v8f total[BLOCKS];
  for (v8f& t : total) t = splat(bias);
  for (int64_t i = 0; i < s.kernel_h; ++i)
    for (int64_t j = 0; j < s.kernel_w; ++j) {
      const int64_t across = j * s.dilation;
      const float* at = scratch + i * s.dilation * pitch + across % s.stride * phase + across / s.stride + col;
      for (int b = 0; b < BLOCKS; ++b) total[b] += weight[i * s.kernel_w + j] * load(at + 8 * b);
    }
  for (int b = 0; b < BLOCKS; ++b) store_rows(total + b, 1, y, col + 8 * b, out_w);
}

INLINE void output_row(const float* scratch, const float* weight, float bias, float* y, const Shape& s) {
  int64_t col = 0;
  for (; col + 24 < s.out_w; col += 32) output_columns<4>(scratch, weight, bias, y, col, s);
  for (; col < s.out_w; col += 8) output_columns<1>(scratch, weight, bias, y, col, s);
}

// Output rows [first, last) of one plane. KERNEL is the kernel's size where stride and dilation are 1, else 0.
template <int KERNEL>
static void band(const float* plane, const float* weight, float bias, float* y, float* scratch, int64_t first,
                 int64_t last, const Shape& s) {
  const int64_t needed = (last - first - 1) * s.stride + (s.kernel_h - 1) * s.dilation + 1;
  for (int64_t row = 0; row < needed; ++row)
    copy_row(plane, scratch + row * s.pitch, first * s.stride + row, s);
  const auto at = [&](int64_t row) { return scratch + (row - first) * s.stride * s.pitch; };
  if constexpr (KERNEL > 0) {
    // The last group may compute rows again that the one before it had.
    if (last - first >= ROWS) {
      for (int64_t next = first; next < last; next += ROWS) {
        const int64_t row = std::min<int64_t>(next, last - ROWS);
        output_rows<ROWS, KERNEL>(at(row), weight, bias, y + row * s.out_w, s);
      }
      return;
    }
  }
  for (int64_t row = first; row < last; ++row) output_row(at(row), weight, bias, y + row * s.out_w, s);
}

extern "C" void depthwise_conv2d(const float* x, const float* weight, const float* bias, float* y, int64_t batch,
                                 int64_t channels, int64_t height, int64_t width, int64_t multiplier,
                                 int64_t kernel_h, int64_t kernel_w, int64_t stride, int64_t padding,
                                 int64_t dilation) {
  const Shape s{height, width, kernel_h, kernel_w, stride, padding, dilation};
  const int64_t out_h = s.out_h, out_w = s.out_w;
  if (out_h <= 0 || out_w <= 0) return;
  const int64_t halo = (kernel_h - 1) * dilation + 1;
  const int64_t fitting = (SCRATCH / s.pitch - halo) / stride + 1;
  const int64_t rows = std::min(out_h, std::max<int64_t>(fitting / ROWS * ROWS, 8));
  const int64_t bands = (out_h + rows - 1) / rows, planes = batch * channels * multiplier;
  const int64_t kernel = kernel_h == kernel_w && stride == 1 && dilation == 1 ? kernel_h : 0;
#pragma omp parallel if (planes * out_h * out_w * kernel_h * kernel_w >= PARALLEL_FROM)
  {
    const std::unique_ptr<float[]> scratch(new float[((rows - 1) * stride + halo) * s.pitch]);
#pragma omp for schedule(static)
    for (int64_t item = 0; item < planes * bands; ++item) {
      const int64_t plane = item / bands, first = item % bands * rows, last = std::min(first + rows, out_h);
      const int64_t channel = plane % (channels * multiplier);
      const float* in = x + plane / multiplier * height * width;
      const float* w = weight + channel * kernel_h * kernel_w;
      const float b = bias ? bias[channel] : 0.0f;
      float* out = y + plane * out_h * out_w;
      switch (kernel) {
        case 3: band<3>(in, w, b, out, scratch.get(), first, last, s); break;
        case 5: band<5>(in, w, b, out, scratch.get(), first, last, s); break;
        case 7: band<7>(in, w, b, out, scratch.get(), first, last, s); break;
        default: band<0>(in, w, b, out, scratch.get(), first, last, s);
      }
    }
  }
}

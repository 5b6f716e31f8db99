// Softmax over the last dimension.
//
// x, y: [rows, cols], contiguous float32; grid: rows.
// Why it is fast: the largest value and the sum of powers come from one pass (every thread rescales its sum when it
// meets a larger value), and the second pass finds the row in a cache.

extern "C" __global__ void __launch_bounds__(THREADS) softmax_kernel(const float* x, float* y, int cols) {
  const long long start = static_cast<long long>(blockIdx.x) * cols;
  const float lowest = __int_as_float(0xff800000);  // -infinity
  float largest = lowest, total = 0;
  each(x + start, cols, [&](float v, int) {
    if (v > largest) {
      total *= expf(largest - v);
      largest = v;
    }
    total += expf(v - (largest == lowest ? 0 : largest));  // -infinity - -infinity is NaN
  });
  const float row_largest = block_max(largest);
  const float scale = 1 / block_sum(total * expf(largest - row_largest));
  transform(x + start, y + start, cols, [&](float v, int) { return expf(v - row_largest) * scale; });
}

// LayerNorm over the last dimension: y = (x - mean) / sqrt(variance + eps) * weight + bias.
//
// x, y: [rows, cols], contiguous float32; weight, bias: [cols], each may be null; grid: rows.
// Why it is fast: memory is read once, the later passes find the row in a cache. Deviations are summed around the
// float32 mean, and what that mean misses by is corrected, so that a large common offset costs no accuracy.

extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm_kernel(const float* x, const float* weight, const float* bias, float* y, int cols, double eps) {
  const long long start = static_cast<long long>(blockIdx.x) * cols;
  float first = 0, second = 0;
  each(x + start, cols, [&](float v, int) { first += v; });
  const float center = block_sum(first) / cols;
  first = 0;
  each(x + start, cols, [&](float v, int) {
    first += v - center;
    second += (v - center) * (v - center);
  });
  const float missed = block_sum(first) / cols;
  const float variance = fmaxf(block_sum(second) / cols - missed * missed, 0);
  const float scale = 1 / sqrtf(variance + static_cast<float>(eps));
  transform(x + start, y + start, cols, [&](float v, int i) {
    const float normal = (v - center - missed) * scale;
    return normal * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
  });
}

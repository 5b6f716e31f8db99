// RMSNorm over the last dimension of x, or of x + residual: y = x / sqrt(mean(x^2) + eps) * weight.
//
// x, residual, y, total: [rows, cols], contiguous float32; weight: [cols]; grid: rows. residual and weight may be
// null; total, which gets x + residual, is null where residual is.
// Why it is fast: memory is read once, the second pass finds the row in a cache.

extern "C" __global__ void __launch_bounds__(THREADS) rms_norm_kernel(
    const float* x, const float* residual, const float* weight, float* y, float* total, int cols, double eps) {
  const long long start = static_cast<long long>(blockIdx.x) * cols;
  const float* row = x + start;
  if (residual) {
    const float* other = residual + start;
    transform(row, total + start, cols, [&](float v, int i) { return v + other[i]; });
    row = total + start;
    __syncthreads();  // of which every thread may read what another wrote
  }
  float squares = 0;
  each(row, cols, [&](float v, int) { squares += v * v; });
  const float scale = 1 / sqrtf(block_sum(squares) / cols + static_cast<float>(eps));
  transform(row, y + start, cols, [&](float v, int i) { return v * scale * (weight ? weight[i] : 1); });
}

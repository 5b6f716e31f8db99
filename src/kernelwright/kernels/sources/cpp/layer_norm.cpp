// LayerNorm over the last dimension: y = (x - mean) / sqrt(variance + eps) * weight + bias.
//
// x, y: [rows, cols], contiguous float32; weight, bias: [cols], each may be null.
// Why it is fast: a row stays in the first-level cache for its three passes. Deviations are summed around the
// float32 mean, and what that mean misses by is corrected, so that a large common offset costs no accuracy; float64
// takes over between blocks.

#ifndef PARALLEL_FROM  // elements below which one thread is faster than waking the others
#define PARALLEL_FROM 16384
#endif

extern "C" void layer_norm(const float* x, const float* weight, const float* bias, float* y, int64_t rows,
                           int64_t cols, double eps) {
#pragma omp parallel for schedule(static) if (rows * cols >= PARALLEL_FROM)
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * cols;
    float* out = y + row * cols;
    const float center = static_cast<float>(moments(in, cols, 0).first);
    const Moments m = moments(in, cols, center);
    const double scale = 1.0 / std::sqrt(std::max(m.second - m.first * m.first, 0.0) + eps);
    const float a = static_cast<float>(scale), b = static_cast<float>(-m.first * scale);
    if (weight && bias)
      for (int64_t i = 0; i < cols; ++i) out[i] = ((in[i] - center) * a + b) * weight[i] + bias[i];
    else
      for (int64_t i = 0; i < cols; ++i)
        out[i] = ((in[i] - center) * a + b) * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
  }
}

// What generated elementwise kernels call, on eight floats at a time.

INLINE v8f sigmoid(v8f x) { return 1.0f / (1.0f + exp(-x)); }
INLINE v8f silu(v8f x) { return x / (1.0f + exp(-x)); }
INLINE v8f relu(v8f x) { return larger(splat(0), x); }
INLINE v8f absolute(v8f x) { return (v8f)((v8i)x & 0x7fffffff); }
INLINE v8f gelu(v8f x) { return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f)); }

// Near zero 1 - 2 / (e**2x + 1) cancels, so there the odd polynomial of Cephes' tanhf is taken.
INLINE v8f tanh(v8f x) {
  const v8f z = x * x;
  v8f p = -5.70498872745e-3f * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const v8f far = 1.0f - 2.0f / (exp(2.0f * x) + 1.0f);
  return absolute(x) < 0.625f ? x * z * p + x : far;
}

INLINE v8f gelu_tanh(v8f x) {
  const v8f u = 0.79788456080286536f * (x + 0.044715f * x * x * x);
  return x * sigmoid(2.0f * u);
}

// tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2), which nothing cancels in; x itself from 20 on.
INLINE v8f mish(v8f x) {
  const v8f e = exp(smaller(x, splat(20))), n = e * (e + 2.0f);
  return x > 20.0f ? x : x * n / (n + 2.0f);
}

INLINE v8f clamp(v8f x, float low, float high) {
  return smaller(splat(high), larger(splat(low), x));
}
INLINE v8f leaky_relu(v8f x, float slope) { return x > 0.0f ? x : x * slope; }
INLINE v8f hardsigmoid(v8f x) { return clamp(x + 3.0f, 0, 6) / 6.0f; }
INLINE v8f hardswish(v8f x) { return x * clamp(x + 3.0f, 0, 6) / 6.0f; }
INLINE v8f root(v8f x) {
  v8f y;
  for (int i = 0; i < 8; ++i) y[i] = std::sqrt(x[i]);
  return y;
}

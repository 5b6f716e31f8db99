// What generated kernels call, on eight floats at a time. A mask has all bits of a lane set, or none.

typedef uint8_t v8b __attribute__((vector_size(8)));

INLINE v8i load(const bool* p) { v8b v; std::memcpy(&v, p, sizeof v); return -__builtin_convertvector(v, v8i); }
INLINE void store(bool* p, v8i v) { const v8b n = __builtin_convertvector(v & 1, v8b); std::memcpy(p, &n, sizeof n); }

// The same for the first n of eight, of a type narrower than float.
template <class T>
INLINE auto load_first(const T* p, int64_t n) {
  T some[8] = {};
  std::memcpy(some, p, n * sizeof(T));
  return load(some);
}
template <class T, class V>
INLINE void store_first(T* p, V v, int64_t n) {
  T some[8];
  store(some, v);
  std::memcpy(p, some, n * sizeof(T));
}

// One value in all lanes.
INLINE v8f spread(const float* p) { return splat(*p); }
INLINE v8i spread(const bool* p) { return v8i{} - static_cast<int32_t>(*p); }
template <class T>
INLINE v8f spread(const T* p) { return load_first(p, 1)[0] + v8f{}; }

INLINE v8f choose(v8i mask, v8f a, v8f b) { return mask ? a : b; }
INLINE v8f number(v8i mask) { return choose(mask, splat(1), splat(0)); }

// The larger and the smaller of a and b; NaN where either is.
INLINE v8f maximum(v8f a, v8f b) { return a > b ? a : (b >= a ? b : a + b); }
INLINE v8f minimum(v8f a, v8f b) { return a < b ? a : (b <= a ? b : a + b); }

INLINE v8f sigmoid(v8f x) { return 1.0f / (1.0f + exp(-x)); }
INLINE v8f silu(v8f x) { return x / (1.0f + exp(-x)); }
INLINE v8f relu(v8f x) { return larger(splat(0), x); }
template <class V, class I = Ints<V>>
INLINE V absolute(V x) { return (V)((I)x & 0x7fffffff); }
INLINE v8f gelu(v8f x) { return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f)); }

// Near zero 1 - 2 / (e**2x + 1) cancels, so there the odd polynomial of Cephes' tanhf is taken.
template <class V, class I = Ints<V>>
INLINE V tanh(V x) {
  const V z = x * x;
  V p = -5.70498872745e-3f * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const V far = 1.0f - 2.0f / (exp(2.0f * x) + 1.0f);
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
#ifdef __AVX2__
  return (v8f)_mm256_sqrt_ps((__m256)x);
#else
  v8f y;
  for (int i = 0; i < 8; ++i) y[i] = std::sqrt(x[i]);
  return y;
#endif
}

// The natural logarithm within 2 ulp: Cephes' logf, with subnormal numbers scaled first.
INLINE v8f log(v8f x) {
  const v8i tiny = x < 1.17549435e-38f;
  const v8i bits = (v8i)(tiny ? x * 8388608.0f : x);
  const v8f mantissa = (v8f)((bits & 0x007fffff) | 0x3f000000);
  const v8i low = mantissa < 0.707106781186547524f;
  const v8f m = (low ? mantissa + mantissa : mantissa) - 1.0f;
  const v8f n = __builtin_convertvector(((bits >> 23) & 0xff) - 126 + low + (tiny & -23), v8f);
  const v8f z = m * m;
  v8f p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const v8f y = m + (p * m * z - n * 2.12194440e-4f - 0.5f * z) + n * 0.693359375f;
  const v8f special = x == 0 ? splat(-INF) : x > 0 ? x : splat(INF - INF);
  return x > 0 && x < INF ? y : special;
}

// log(1 + x): what the sum loses comes in again.
INLINE v8f log1p(v8f x) {
  const v8f u = 1.0f + x, y = log(u);
  return u > 0 && u < INF ? y + (x - (u - 1.0f)) / u : y;
}

// exp(x) - 1, near zero by tanh(x / 2), where nothing cancels.
INLINE v8f expm1(v8f x) {
  const v8f t = tanh(0.5f * x);
  return absolute(x) < 0.5f ? 2.0f * t / (1.0f - t) : exp(x) - 1.0f;
}

INLINE v8f softplus(v8f x, float beta, float threshold) {
  const v8f v = x * beta;
  return v > threshold ? x : (larger(splat(0), v) + log1p(exp(-absolute(v)))) / beta;
}
INLINE v8f elu(v8f x, float alpha, float scale, float inner) {
  return scale * (x > 0.0f ? x : alpha * expm1(x * inner));
}

// Huber's function of a distance: half its square up to delta, then a line.
INLINE v8f huber(v8f distance, float delta) {
  return distance < delta ? 0.5f * distance * distance : delta * (distance - 0.5f * delta);
}

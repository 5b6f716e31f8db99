// Eight or sixteen floats at a time, and what float kernels share: loads of partial vectors, reductions, exp, erf.
// Compiled in front of a kernel's source; every candidate holds it, and so is one self-contained file.
//
// GCC's vector extensions compile to AVX2 where the machine has it and to SSE or plain code elsewhere; intrinsics
// appear only where the compiler would miss the one good instruction. Nothing here reads outside [p, p + n).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float v8f __attribute__((vector_size(32)));
typedef int32_t v8i __attribute__((vector_size(32)));
typedef double v4d __attribute__((vector_size(32)));
typedef float v4f __attribute__((vector_size(16)));

constexpr float INF = std::numeric_limits<float>::infinity();

INLINE v8f splat(float a) { return v8f{a, a, a, a, a, a, a, a}; }
INLINE v8f load(const float* p) { v8f v; std::memcpy(&v, p, sizeof v); return v; }
INLINE void store(float* p, v8f v) { std::memcpy(p, &v, sizeof v); }

// The same value, held in a register: stops the compiler from loading it again at every use.
INLINE v8f hold(v8f v) {
#ifdef __AVX2__
  asm("" : "+x"(v));
#endif
  return v;
}

// The first n of eight floats, 0 < n < 8; the other lanes hold `fill`.
INLINE v8f load_first(const float* p, int64_t n, float fill = 0) {
  const v8i lane = {0, 1, 2, 3, 4, 5, 6, 7};
  const v8i inside = lane < static_cast<int32_t>(n);
#ifdef __AVX2__
  const v8f v = (v8f)_mm256_maskload_ps(p, (__m256i)inside);
#else
  v8f v = splat(0);
  std::memcpy(&v, p, n * sizeof(float));
#endif
  return inside ? v : splat(fill);
}

INLINE void store_first(float* p, v8f v, int64_t n) {
#ifdef __AVX2__
  const v8i lane = {0, 1, 2, 3, 4, 5, 6, 7};
  _mm256_maskstore_ps(p, (__m256i)(lane < static_cast<int32_t>(n)), (__m256)v);
#else
  std::memcpy(p, &v, n * sizeof(float));
#endif
}

// The larger and the smaller of a and b; b where either is NaN.
INLINE v8f larger(v8f a, v8f b) {
#ifdef __AVX2__
  return (v8f)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}

INLINE v8f smaller(v8f a, v8f b) {
#ifdef __AVX2__
  return (v8f)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return a < b ? a : b;
#endif
}

// Sixteen floats, and the widest vector that there is: `vf`, of LANES floats. What returns a vector is told its type.
#ifdef __AVX512F__
typedef float v16f __attribute__((vector_size(64)));
typedef v16f vf;
INLINE void store(float* p, v16f v) { std::memcpy(p, &v, sizeof v); }
INLINE void store_first(float* p, v16f v, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
}
INLINE v16f larger(v16f a, v16f b) { return (v16f)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE v16f smaller(v16f a, v16f b) { return (v16f)_mm512_min_ps((__m512)a, (__m512)b); }
#else
typedef v8f vf;
#endif
constexpr int64_t LANES = sizeof(vf) / sizeof(float);

// The integers of a vector's width; nothing for other types, so that exp of a number stays the library's.
template <class V> using Ints = decltype(V{}[0], V{} < V{});

template <class V> INLINE V splat_as(float a) { return a - V{}; }
template <class V> INLINE V load_as(const float* p) { V v; std::memcpy(&v, p, sizeof v); return v; }
template <class V> INLINE V load_first_as(const float* p, int64_t n, float fill = 0) {
#ifdef __AVX512F__
  if constexpr (sizeof(V) == 64)
    return (V)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), static_cast<__mmask16>((1u << n) - 1), p);
  else
#endif
    return load_first(p, n, fill);
}

INLINE float sum(v8f v) {
  const v4f a = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  return (a[0] + a[2]) + (a[1] + a[3]);
}

INLINE float maximum(v8f v) {
  float m = v[0];
  for (int i = 1; i < 8; ++i) m = v[i] > m ? v[i] : m;
  return m;
}
#ifdef __AVX512F__
INLINE float sum(v16f v) {
  const v8f low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  return sum(low + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

INLINE float maximum(v16f v) {
  float m = v[0];
  for (int i = 1; i < 16; ++i) m = v[i] > m ? v[i] : m;
  return m;
}
#endif

// e**x = 2**power * polynomial, for x in [-104, 89] or NaN.
template <class V>
struct Exp {
  V polynomial;
  Ints<V> power;
};

template <class V>
INLINE Exp<V> exp_parts(V x) {
  const float round_to_integer = 12582912.0f;  // 1.5 * 2**23: its last mantissa bit is worth one
  const V shifted = x * 1.44269504f + round_to_integer;
  const V n = shifted - round_to_integer;
  const V r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  V p = r * 1.991789477e-4f + 1.394613248e-3f;
  p = p * r + 8.333265302e-3f;
  p = p * r + 4.166626906e-2f;
  p = p * r + 1.666666686e-1f;
  p = p * r + 5.000000078e-1f;
  return {p * (r * r) + r + 1.0f, (Ints<V>)shifted - 0x4B400000};
}

// e**x within 1 ulp, subnormal results, infinities and NaN included: the power of two comes in two factors, neither of
// which leaves the normal range.
template <class V, class I = Ints<V>>
INLINE V exp(V x) {
  const Exp<V> e = exp_parts(smaller(splat_as<V>(89.0f), larger(splat_as<V>(-104.0f), x)));
  const I half = e.power >> 1;
  return e.polynomial * (V)((half + 127) << 23) * (V)((e.power - half + 127) << 23);
}

// The same for x <= 0 or NaN, with zero instead of subnormal results: what a softmax needs, in fewer instructions.
template <class V, class I = Ints<V>>
INLINE V exp_negative(V x) {
  const Exp<V> e = exp_parts(larger(splat_as<V>(-88.0f), x));
  const V y = e.polynomial * (V)((e.power + 127) << 23);
  return (V)((I)y & ~(x < -87.0f));
}

// The error function within 2 ulp: an odd polynomial near zero, 1 - e**polynomial further out.
template <class V, class I = Ints<V>>
INLINE V erf(V x) {
  const V s = x * x;
  V small = s * 8.345224871e-5f - 8.137437559e-4f;
  small = small * s + 5.200634306e-3f;
  small = small * s - 2.685927078e-2f;
  small = small * s + 1.128369394e-1f;
  small = small * s - 3.761263370e-1f;
  small = small * s + 1.283791666e-1f;
  small = small * x + x;
  V t = x < 0 ? -x : x;
  t = t > 4.0f ? splat_as<V>(4.0f) : t;
  V big = t * -1.152246386e-5f + 3.256543728e-4f;
  big = big * t - 3.653770576e-3f;
  big = big * t + 2.378536024e-2f;
  big = big * t - 1.062631605e-1f;
  big = big * t - 6.351359039e-1f;
  big = big * t - 1.286521645e-1f;
  big = 1.0f - exp_negative(big * t - t);
  big = x < 0 ? -big : big;
  return t < 0.93f ? small : big;
}

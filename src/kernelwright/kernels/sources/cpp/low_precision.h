// bfloat16 and float16 in memory, for tensors of these types: eight at a time, computed with as floats.

typedef uint16_t v8s __attribute__((vector_size(16)));
typedef uint32_t v8u __attribute__((vector_size(32)));
struct bf16 { uint16_t bits; };
typedef _Float16 half;
typedef half v8h __attribute__((vector_size(16)));

INLINE v8f widen(v8s v) { return (v8f)(__builtin_convertvector(v, v8u) << 16); }
INLINE v8s narrow(v8f v) {  // to the nearest, ties to even
  const v8u u = (v8u)v;
  const v8u rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  return __builtin_convertvector(v == v ? rounded : (u >> 16) | 0x40, v8s);
}
INLINE v8f load(const bf16* p) { v8s v; std::memcpy(&v, p, sizeof v); return widen(v); }
INLINE v8f load(const half* p) { v8h v; std::memcpy(&v, p, sizeof v); return __builtin_convertvector(v, v8f); }
INLINE void store(bf16* p, v8f v) { const v8s n = narrow(v); std::memcpy(p, &n, sizeof n); }
INLINE void store(half* p, v8f v) { const v8h n = __builtin_convertvector(v, v8h); std::memcpy(p, &n, sizeof n); }

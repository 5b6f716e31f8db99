// What the kernels share. A block of THREADS threads works on one row.

#ifndef THREADS  // a multiple of 32
#define THREADS 256
#endif

// The sum over all threads of a block, for each of them.
__device__ __forceinline__ float block_sum(float value) {
  __shared__ float parts[THREADS / 32];
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffff, value, lanes);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float total = 0;
  for (int warp = 0; warp < THREADS / 32; ++warp) total += parts[warp];
  __syncthreads();  // nobody writes the next parts before all have read these
  return total;
}

// The same for the largest; NaN counts for nothing.
__device__ __forceinline__ float block_max(float value) {
  __shared__ float parts[THREADS / 32];
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, lanes));
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float largest = parts[0];
  for (int warp = 1; warp < THREADS / 32; ++warp) largest = fmaxf(largest, parts[warp]);
  __syncthreads();
  return largest;
}

__device__ __forceinline__ bool is_aligned(const void* address) {
  return reinterpret_cast<unsigned long long>(address) % 16 == 0;
}

// f(value, index) for this thread's share of a row, 16 bytes at a time where the row allows it.
template <typename F>
__device__ __forceinline__ void each(const float* row, int cols, F f) {
  if (cols % 4 == 0 && is_aligned(row)) {
    for (int i = 4 * threadIdx.x; i < cols; i += 4 * THREADS) {
      const float4 v = *reinterpret_cast<const float4*>(row + i);
      f(v.x, i), f(v.y, i + 1), f(v.z, i + 2), f(v.w, i + 3);
    }
  } else {
    for (int i = threadIdx.x; i < cols; i += THREADS) f(row[i], i);
  }
}

// The same, and what f returns goes to another row.
template <typename F>
__device__ __forceinline__ void transform(const float* row, float* out, int cols, F f) {
  if (cols % 4 == 0 && is_aligned(row) && is_aligned(out)) {
    for (int i = 4 * threadIdx.x; i < cols; i += 4 * THREADS) {
      const float4 v = *reinterpret_cast<const float4*>(row + i);
      *reinterpret_cast<float4*>(out + i) = make_float4(f(v.x, i), f(v.y, i + 1), f(v.z, i + 2), f(v.w, i + 3));
    }
  } else {
    for (int i = threadIdx.x; i < cols; i += THREADS) out[i] = f(row[i], i);
  }
}

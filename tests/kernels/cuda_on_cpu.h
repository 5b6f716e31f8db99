// Runs a CUDA kernel on a CPU: one block after the other, a thread of the operating system for each thread of a block.
#include <barrier>
#include <bit>
#include <cmath>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

struct float4 {
  float x, y, z, w;
};
struct Dimensions {
  unsigned x;
};
struct Warp {
  std::barrier<> barrier{32};
  float values[32];
};

inline thread_local Dimensions threadIdx, blockIdx;
inline std::barrier<>* block;
inline Warp* warps;

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float __int_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline void __syncthreads() { block->arrive_and_wait(); }

inline float __shfl_xor_sync(unsigned, float value, int lanes) {
  Warp& warp = warps[threadIdx.x / 32];
  warp.values[threadIdx.x % 32] = value;
  warp.barrier.arrive_and_wait();
  const float other = warp.values[(threadIdx.x % 32) ^ lanes];
  warp.barrier.arrive_and_wait();
  return other;
}

template <typename Kernel>
void run(unsigned blocks, unsigned threads, Kernel kernel) {
  std::barrier<> everyone(threads);
  std::vector<Warp> all(threads / 32);
  block = &everyone, warps = all.data();
  std::vector<std::jthread> running;
  for (unsigned thread = 0; thread < threads; ++thread)
    running.emplace_back([=] {
      threadIdx.x = thread;
      for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
        kernel();
        __syncthreads();
      }
    });
}

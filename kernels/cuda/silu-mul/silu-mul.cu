// y = silu(gate) · up, elementwise. Computed in float32 and rounded once, at the end; PyTorch eager also rounds silu(gate).

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace fused {

constexpr int THREADS = 256;
/// Elements of one 16-byte load, and of one thread.
constexpr int VECTOR = 8;

__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& to) { to = __float2bfloat16_rn(value); }
__device__ __forceinline__ void narrow(float value, __half& to) { to = __float2half_rn(value); }

template <typename T>
struct alignas(16) Vector {
  T at[VECTOR];
};

__device__ __forceinline__ bool aligned(const void* pointer) { return (reinterpret_cast<unsigned long long>(pointer) & 15) == 0; }

template <typename T>
__device__ __forceinline__ T gated(T gate, T up) {
  const float g = widen(gate);
  T result;
  narrow(g / (1.0f + expf(-g)) * widen(up), result);
  return result;
}

template <typename T>
__device__ void silu_mul(const T* __restrict__ gate, const T* __restrict__ up, T* __restrict__ y, int rows, int I) {
  const long long count = static_cast<long long>(rows) * I;
  const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * VECTOR;
  if (aligned(gate) && aligned(up) && aligned(y) && first + VECTOR <= count) {
    const Vector<T> g = *reinterpret_cast<const Vector<T>*>(gate + first);
    const Vector<T> u = *reinterpret_cast<const Vector<T>*>(up + first);
    Vector<T> result;
    for (int j = 0; j < VECTOR; j++) result.at[j] = gated(g.at[j], u.at[j]);
    *reinterpret_cast<Vector<T>*>(y + first) = result;
    return;
  }
  for (long long i = first; i < first + VECTOR && i < count; i++) y[i] = gated(gate[i], up[i]);
}

}  // namespace fused

extern "C" __global__ void __launch_bounds__(fused::THREADS)
silu_mul_bf16(const __nv_bfloat16* gate, const __nv_bfloat16* up, __nv_bfloat16* y, int T, int I) {
  fused::silu_mul(gate, up, y, T, I);
}

extern "C" __global__ void __launch_bounds__(fused::THREADS)
silu_mul_f16(const __half* gate, const __half* up, __half* y, int T, int I) {
  fused::silu_mul(gate, up, y, T, I);
}

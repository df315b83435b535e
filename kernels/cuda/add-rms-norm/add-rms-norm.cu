// residual_out = x + residual, and y = its RMS norm · weight, one block per token.
// residual_out is rounded before it is normed, as the sum of two tensors is. weight_offset 0 rounds as LlamaRMSNorm does (before the weight, and
// after it), any other as Gemma3RMSNorm (once, at the end).

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace fused {

constexpr int THREADS = 128;
constexpr int WARPS = THREADS / 32;
/// Elements of one 16-byte load.
constexpr int VECTOR = 8;
/// Vectors of a row that a thread keeps in registers between the two passes: rows of up to 128 · 8 · 4 = 4096 elements are read once.
constexpr int KEPT = 4;

__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& to) { to = __float2bfloat16_rn(value); }
__device__ __forceinline__ void narrow(float value, __half& to) { to = __float2half_rn(value); }

template <typename T>
struct alignas(16) Vector {
  T at[VECTOR];
};

__device__ __forceinline__ bool aligned(const void* pointer) { return (reinterpret_cast<unsigned long long>(pointer) & 15) == 0; }

/// The sum over all threads, the same bits in each of them.
__device__ __forceinline__ float block_sum(float value) {
  __shared__ float partial[WARPS];
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = partial[0];
  for (int warp = 1; warp < WARPS; warp++) sum += partial[warp];
  return sum;
}

template <typename T>
__device__ __forceinline__ T added(T x, T residual) {
  T result;
  narrow(widen(x) + widen(residual), result);
  return result;
}

template <typename T>
__device__ __forceinline__ T normed(T x, float scale, T weight, float weight_offset) {
  T result;
  if (weight_offset == 0.0f) {
    narrow(widen(x) * scale, result);
    narrow(widen(result) * widen(weight), result);
  } else {
    narrow(widen(x) * scale * (weight_offset + widen(weight)), result);
  }
  return result;
}

template <typename T>
__device__ void add_rms_norm(const T* __restrict__ x, const T* __restrict__ residual, const T* __restrict__ weight, T* __restrict__ y,
                             T* __restrict__ residual_out, int H, float eps, float weight_offset) {
  const long long row = static_cast<long long>(blockIdx.x) * H;
  x += row;
  residual += row;
  y += row;
  residual_out += row;
  float sum = 0.0f;
  // Rows start on 16 bytes only where H is a multiple of 8.
  const bool vectors = H % VECTOR == 0 && aligned(x) && aligned(residual) && aligned(weight) && aligned(y) && aligned(residual_out);
  if (!vectors) {
    for (int i = threadIdx.x; i < H; i += THREADS) {
      const T value = added(x[i], residual[i]);
      residual_out[i] = value;
      sum = fmaf(widen(value), widen(value), sum);
    }
    const float scale = 1.0f / sqrtf(block_sum(sum) / H + eps);
    for (int i = threadIdx.x; i < H; i += THREADS) y[i] = normed(added(x[i], residual[i]), scale, weight[i], weight_offset);
    return;
  }
  const int count = H / VECTOR;
  const auto load = [&](int at) {
    const Vector<T> a = reinterpret_cast<const Vector<T>*>(x)[at];
    const Vector<T> b = reinterpret_cast<const Vector<T>*>(residual)[at];
    Vector<T> result;
    for (int j = 0; j < VECTOR; j++) result.at[j] = added(a.at[j], b.at[j]);
    return result;
  };
  const auto keep = [&](int at, const Vector<T>& value) {
    reinterpret_cast<Vector<T>*>(residual_out)[at] = value;
    for (int j = 0; j < VECTOR; j++) sum = fmaf(widen(value.at[j]), widen(value.at[j]), sum);
  };
  Vector<T> kept[KEPT];
#pragma unroll
  for (int i = 0; i < KEPT; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at < count) kept[i] = load(at);
  }
#pragma unroll
  for (int i = 0; i < KEPT; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at < count) keep(at, kept[i]);
  }
  for (int at = threadIdx.x + KEPT * THREADS; at < count; at += THREADS) keep(at, load(at));
  const float scale = 1.0f / sqrtf(block_sum(sum) / H + eps);
  const auto store = [&](int at, const Vector<T>& value) {
    const Vector<T> w = reinterpret_cast<const Vector<T>*>(weight)[at];
    Vector<T> result;
    for (int j = 0; j < VECTOR; j++) result.at[j] = normed(value.at[j], scale, w.at[j], weight_offset);
    reinterpret_cast<Vector<T>*>(y)[at] = result;
  };
#pragma unroll
  for (int i = 0; i < KEPT; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at < count) store(at, kept[i]);
  }
  for (int at = threadIdx.x + KEPT * THREADS; at < count; at += THREADS) store(at, load(at));
}

}  // namespace fused

extern "C" __global__ void __launch_bounds__(fused::THREADS)
add_rms_norm_bf16(const __nv_bfloat16* x, const __nv_bfloat16* residual, const __nv_bfloat16* weight, __nv_bfloat16* y,
                  __nv_bfloat16* residual_out, int H, float eps, float weight_offset) {
  fused::add_rms_norm(x, residual, weight, y, residual_out, H, eps, weight_offset);
}

extern "C" __global__ void __launch_bounds__(fused::THREADS)
add_rms_norm_f16(const __half* x, const __half* residual, const __half* weight, __half* y, __half* residual_out, int H, float eps,
                 float weight_offset) {
  fused::add_rms_norm(x, residual, weight, y, residual_out, H, eps, weight_offset);
}

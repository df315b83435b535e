// RMS norm of every head of q and k, rotary embedding of every head, or both in one pass; a warp per token and head.
// Both at once: float32 throughout, rounded once, at the end. The norm alone rounds as PyTorch does: before the weight and after it for
// weight_offset 0 (Qwen3RMSNorm), once otherwise (Gemma3RMSNorm). The rotary embedding alone: float32, rounded once (PyTorch rounds each product).

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace fused {

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;

__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& to) { to = __float2bfloat16_rn(value); }
__device__ __forceinline__ void narrow(float value, __half& to) { to = __float2half_rn(value); }

template <typename T>
struct alignas(4) Pair {
  T at[2];
};

__device__ __forceinline__ bool aligned(const void* pointer) { return (reinterpret_cast<unsigned long long>(pointer) & 3) == 0; }

/// `half` pairs element i with i + R/2, `interleaved` 2i with 2i + 1.
enum Layout { HALF = 0, INTERLEAVED = 1 };

struct Rotary {
  /// Of this token, R/2 each.
  const float* cos;
  const float* sin;
  int R;
  int layout;
};

/// Element `at` of a head after rotation.
__device__ __forceinline__ float rotated(const float* head, int at, const Rotary& rotary) {
  if (at >= rotary.R) return head[at];
  const int half = rotary.R / 2;
  const bool interleaved = rotary.layout == INTERLEAVED;
  const bool first = interleaved ? at % 2 == 0 : at < half;
  const int distance = interleaved ? 1 : half;
  const int angle = interleaved ? at / 2 : first ? at : at - half;
  const float other = first ? -head[at + distance] : head[at - distance];
  return fmaf(head[at], rotary.cos[angle], other * rotary.sin[angle]);
}

/// x and y: one head of D elements. weight: null for no norm. rotary: null for no rotation. staged: D floats of this warp.
template <typename T>
__device__ __forceinline__ void one_head(const T* x, T* y, const T* weight, const Rotary* rotary, int D, float eps, float weight_offset,
                                         float* staged) {
  const int lane = threadIdx.x % 32;
  const bool pairs = D % 2 == 0 && aligned(x) && aligned(y);
  float sum = 0.0f;
  if (pairs) {
    for (int i = 2 * lane; i < D; i += 64) {
      const Pair<T> value = *reinterpret_cast<const Pair<T>*>(x + i);
      for (int j = 0; j < 2; j++) {
        staged[i + j] = widen(value.at[j]);
        sum = fmaf(staged[i + j], staged[i + j], sum);
      }
    }
  } else {
    // The same elements per lane, so that sums do not depend on the alignment.
    for (int i = 2 * lane; i < D; i += 64) {
      for (int j = i; j < min(i + 2, D); j++) {
        staged[j] = widen(x[j]);
        sum = fmaf(staged[j], staged[j], sum);
      }
    }
  }
  if (weight != nullptr) {
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    const float scale = 1.0f / sqrtf(sum / D + eps);
    // Each lane norms the elements that it staged itself.
    for (int i = 2 * lane; i < D; i += 64) {
      for (int j = i; j < min(i + 2, D); j++) {
        float value = staged[j] * scale;
        if (rotary == nullptr && weight_offset == 0.0f) {
          T rounded;
          narrow(value, rounded);
          value = widen(rounded);
        }
        staged[j] = value * (weight_offset + widen(weight[j]));
      }
    }
  }
  __syncwarp();
  const auto result = [&](int at) {
    T rounded;
    narrow(rotary == nullptr ? staged[at] : rotated(staged, at, *rotary), rounded);
    return rounded;
  };
  if (pairs) {
    for (int i = 2 * lane; i < D; i += 64) *reinterpret_cast<Pair<T>*>(y + i) = Pair<T>{{result(i), result(i + 1)}};
  } else {
    for (int i = 2 * lane; i < D; i += 64) {
      for (int j = i; j < min(i + 2, D); j++) y[j] = result(j);
    }
  }
}

template <typename T, bool NORM, bool ROTATE>
__device__ __forceinline__ void qk(const T* q, const T* k, const T* q_weight, const T* k_weight, const float* cos, const float* sin, T* out_q,
                                   T* out_k, int tokens, int Nq, int Nkv, int D, float eps, float weight_offset, int R, int layout) {
  extern __shared__ float staged[];
  const int warp = threadIdx.x / 32;
  const long long task = static_cast<long long>(blockIdx.x) * WARPS + warp;
  const long long token = task / (Nq + Nkv);
  if (token >= tokens) return;
  const int head = static_cast<int>(task % (Nq + Nkv));
  const bool query = head < Nq;
  const long long at = query ? (token * Nq + head) * D : (token * Nkv + head - Nq) * D;
  const Rotary rotary = {cos + token * (R / 2), sin + token * (R / 2), R, layout};
  one_head(query ? q + at : k + at, query ? out_q + at : out_k + at, NORM ? (query ? q_weight : k_weight) : nullptr,
           ROTATE ? &rotary : nullptr, D, eps, weight_offset, staged + warp * D);
}

}  // namespace fused

#define ENTRIES(T, DTYPE)                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(fused::THREADS)                                                                             \
  qk_norm_rope_##DTYPE(const T* q, const T* k, const T* q_weight, const T* k_weight, const float* cos, const float* sin, T* out_q, T* out_k, \
                       int tokens, int Nq, int Nkv, int D, float eps, float weight_offset, int rotary_dim, int layout) {                   \
    fused::qk<T, true, true>(q, k, q_weight, k_weight, cos, sin, out_q, out_k, tokens, Nq, Nkv, D, eps, weight_offset, rotary_dim, layout); \
  }                                                                                                                                        \
  extern "C" __global__ void __launch_bounds__(fused::THREADS)                                                                             \
  qk_norm_##DTYPE(const T* q, const T* k, const T* q_weight, const T* k_weight, T* out_q, T* out_k, int tokens, int Nq, int Nkv, int D,    \
                  float eps, float weight_offset) {                                                                                        \
    fused::qk<T, true, false>(q, k, q_weight, k_weight, nullptr, nullptr, out_q, out_k, tokens, Nq, Nkv, D, eps, weight_offset, 0, 0);     \
  }                                                                                                                                        \
  extern "C" __global__ void __launch_bounds__(fused::THREADS)                                                                             \
  rope_##DTYPE(const T* q, const T* k, const float* cos, const float* sin, T* out_q, T* out_k, int tokens, int Nq, int Nkv, int D,         \
               int rotary_dim, int layout) {                                                                                               \
    fused::qk<T, false, true>(q, k, nullptr, nullptr, cos, sin, out_q, out_k, tokens, Nq, Nkv, D, 0.0f, 0.0f, rotary_dim, layout);         \
  }

ENTRIES(__nv_bfloat16, bf16)
ENTRIES(__half, f16)

// o = softmax(scale · q kᵀ + mask) v, 64 queries of one head per block, keys and values in tiles with an online softmax, so that scores never leave
// the chip. Scores, probabilities' sums and the result are float32; only the probabilities are rounded, for the second product. PyTorch eager
// also rounds the scores. Grouped heads, causal mask, sliding window, soft cap; the queries are the last T of S positions. D up to 256.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace fused {

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;
/// Queries of a block; each warp has 16.
constexpr int QUERIES = 16 * WARPS;
/// Elements of one 16-byte chunk, the unit of every copy.
constexpr int CHUNK = 8;

// --- 16-bit types ---

template <typename T>
struct alignas(16) Chunk {
  T at[CHUNK];
};

template <typename T>
struct alignas(4) Pair {
  T at[2];
};

__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& to) { to = __float2bfloat16_rn(value); }
__device__ __forceinline__ void narrow(float value, __half& to) { to = __float2half_rn(value); }

/// Two rounded values as one register of a fragment.
template <typename T>
__device__ __forceinline__ unsigned packed(float first, float second) {
  union {
    Pair<T> pair;
    unsigned bits;
  } value = {};
  narrow(first, value.pair.at[0]);
  narrow(second, value.pair.at[1]);
  return value.bits;
}

__device__ __forceinline__ bool aligned(const void* pointer) { return (reinterpret_cast<unsigned long long>(pointer) & 15) == 0; }

// --- instructions that have no function in CUDA C++ (sm_80) ---

#ifndef FUSED_COMPAT_EMULATION
/// 16 bytes from global to shared memory; zeros where `valid` is false (nothing is read then).
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int PENDING>
__device__ __forceinline__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/// Four 8 × 8 matrices; lanes 8i to 8i + 7 give the rows of matrix i.
__device__ __forceinline__ void load_matrices(unsigned (&to)[4], const void* row) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// The same, each matrix transposed.
__device__ __forceinline__ void load_matrices_transposed(unsigned (&to)[4], const void* row) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// c += a · b for a [16, 16], b [16, 8], float32 sums.
__device__ __forceinline__ void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, __nv_bfloat16) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, __half) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// --- attention ---

constexpr float LOG2_E = 1.4426950408889634f;

template <typename T>
struct Attention {
  /// [T, Nq, D]
  const T* q;
  /// [S, Nkv, D]
  const T* k;
  const T* v;
  T* o;
  /// T and S
  int queries;
  int keys;
  int Nq;
  int Nkv;
  int D;
  float scale;
  int causal;
  int window;
  float softcap;
};

/// Where chunk `chunk` of row `row` lies in a tile of rows of WIDTH elements: permuted so that eight rows use all banks.
template <int WIDTH>
__device__ __forceinline__ int swizzled(int row, int chunk) {
  return row * WIDTH + (chunk ^ (row & 7)) * CHUNK;
}

/// ROWS rows of one head into shared memory, from position `first` on. What lies outside becomes 0, up to the next multiple of 16 elements.
template <typename T, int ROWS, int WIDTH>
__device__ __forceinline__ void copy_tile(T* tile, const T* head, int first, int positions, int stride, int D, bool vectors) {
  constexpr int CHUNKS = WIDTH / CHUNK;
  const int chunks = (D + 15) / 16 * 2;
#pragma unroll 4
  for (int i = threadIdx.x; i < ROWS * CHUNKS; i += THREADS) {
    const int row = i / CHUNKS;
    const int chunk = i % CHUNKS;
    if (chunk >= chunks) continue;
    const bool inside = first + row < positions;
    const T* from = head + static_cast<long long>(first + row) * stride + chunk * CHUNK;
    T* const to = tile + swizzled<WIDTH>(row, chunk);
    if (vectors) {
      const bool valid = inside && chunk * CHUNK < D;
      copy_async(to, valid ? from : head, valid);
    } else {
      T zero;
      narrow(0.0f, zero);
#pragma unroll 1
      for (int j = 0; j < CHUNK; j++) to[j] = inside && chunk * CHUNK + j < D ? from[j] : zero;
    }
  }
}

/// WIDTH: D rounded up to 64, 128 or 256. KEYS: keys of a tile. Shared memory: (64 + 2 · KEYS) · WIDTH · 2 bytes.
/// Not inlined: three of them in one function take 246 registers, each alone at most 184 (and 168, three blocks at a time, costs only the widest a spill).
template <typename T, int WIDTH, int KEYS>
__device__ __noinline__ void attention(const Attention<T> call) {
  extern __shared__ __align__(16) unsigned char shared[];
  T* const q_tile = reinterpret_cast<T*>(shared);
  T* const k_tile = q_tile + QUERIES * WIDTH;
  T* const v_tile = k_tile + KEYS * WIDTH;
  const int D = call.D;
  const int head = blockIdx.y;
  const int kv_head = head / (call.Nq / call.Nkv);
  // The last queries see the most keys: those blocks start first.
  const int first_query = (gridDim.x - 1 - blockIdx.x) * QUERIES;
  const int past = call.keys - call.queries;
  const int last_query = min(first_query + QUERIES, call.queries) - 1;
  const int begin = call.window > 0 ? max(0, first_query + past - call.window + 1) / KEYS * KEYS : 0;
  const int end = call.causal ? last_query + past + 1 : call.keys;
  const T* const q = call.q + static_cast<long long>(head) * D;
  const T* const k = call.k + static_cast<long long>(kv_head) * D;
  const T* const v = call.v + static_cast<long long>(kv_head) * D;
  const int q_stride = call.Nq * D;
  const int kv_stride = call.Nkv * D;
  const bool vectors = D % CHUNK == 0 && aligned(call.q) && aligned(call.k) && aligned(call.v);

  copy_tile<T, QUERIES, WIDTH>(q_tile, q, first_query, call.queries, q_stride, D, vectors);
  copy_tile<T, KEYS, WIDTH>(k_tile, k, begin, call.keys, kv_stride, D, vectors);
  commit_copies();
  copy_tile<T, KEYS, WIDTH>(v_tile, v, begin, call.keys, kv_stride, D, vectors);
  commit_copies();

  const int lane = threadIdx.x % 32;
  const int warp_row = threadIdx.x / 32 * 16;
  // A thread has elements of two rows: lane / 4, and 8 further on.
  const int position = first_query + past + warp_row + lane / 4;
  float sums[WIDTH / 8][4] = {};
  float highest[2] = {-INFINITY, -INFINITY};
  float total[2] = {0.0f, 0.0f};

#pragma unroll 1
  for (int start = begin; start < end; start += KEYS) {
    await_copies<1>();
    __syncthreads();
    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int d = 0; d < WIDTH / 16; d++) {
      if (d * 16 >= D) break;
      unsigned a[4];
      load_matrices(a, q_tile + swizzled<WIDTH>(warp_row + lane % 16, 2 * d + lane / 16));
#pragma unroll
      for (int n = 0; n < KEYS / 16; n++) {
        unsigned b[4];
        load_matrices(b, k_tile + swizzled<WIDTH>(n * 16 + lane / 16 * 8 + lane % 8, 2 * d + lane / 8 % 2));
        multiply_add(scores[2 * n], a, b[0], b[1], T());
        multiply_add(scores[2 * n + 1], a, b[2], b[3], T());
      }
    }
    // All warps are done with these keys: the next ones arrive during the softmax and the second product.
    __syncthreads();
    if (start + KEYS < end) copy_tile<T, KEYS, WIDTH>(k_tile, k, start + KEYS, call.keys, kv_stride, D, vectors);
    commit_copies();

    if (call.softcap > 0.0f) {
#pragma unroll
      for (int n = 0; n < KEYS / 8; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) scores[n][i] = call.softcap * tanhf(scores[n][i] * call.scale / call.softcap);
      }
    }
    const float scale = call.softcap > 0.0f ? 1.0f : call.scale;
    // In units of log 2, so that exp2f, which is exact to 2 ULP, does for the exponential.
    float largest[2] = {highest[0], highest[1]};
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int key = start + n * 8 + lane % 4 * 2 + i % 2;
        const int query = position + i / 2 * 8;
        const bool hidden = key >= call.keys || (call.causal && key > query) || (call.window > 0 && key <= query - call.window);
        scores[n][i] = hidden ? -INFINITY : scores[n][i] * scale * LOG2_E;
        largest[i / 2] = fmaxf(largest[i / 2], scores[n][i]);
      }
    }
    float base[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      for (int distance = 1; distance < 4; distance *= 2)
        largest[half] = fmaxf(largest[half], __shfl_xor_sync(0xffffffffu, largest[half], distance));
      // A row that has seen no key yet has no maximum to subtract.
      base[half] = largest[half] == -INFINITY ? 0.0f : largest[half];
      const float shrink = exp2f(highest[half] - base[half]);
      highest[half] = largest[half];
      total[half] *= shrink;
#pragma unroll
      for (int d = 0; d < WIDTH / 8; d++) {
        sums[d][2 * half] *= shrink;
        sums[d][2 * half + 1] *= shrink;
      }
    }
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        scores[n][i] = exp2f(scores[n][i] - base[i / 2]);
        total[i / 2] += scores[n][i];
      }
    }

    await_copies<1>();
    __syncthreads();
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++) {
      // The layout of a product's result is that of the next one's left side.
      const float(&left)[4] = scores[2 * n];
      const float(&right)[4] = scores[2 * n + 1];
      const unsigned a[4] = {packed<T>(left[0], left[1]), packed<T>(left[2], left[3]), packed<T>(right[0], right[1]),
                             packed<T>(right[2], right[3])};
#pragma unroll
      for (int d = 0; d < WIDTH / 16; d++) {
        if (d * 16 >= D) break;
        unsigned b[4];
        load_matrices_transposed(b, v_tile + swizzled<WIDTH>(n * 16 + lane % 16, 2 * d + lane / 16));
        multiply_add(sums[2 * d], a, b[0], b[1], T());
        multiply_add(sums[2 * d + 1], a, b[2], b[3], T());
      }
    }
    __syncthreads();
    if (start + KEYS < end) copy_tile<T, KEYS, WIDTH>(v_tile, v, start + KEYS, call.keys, kv_stride, D, vectors);
    commit_copies();
  }

  // A warp's own queries are not needed any more: their place holds its result, so that whole chunks are written.
#pragma unroll
  for (int half = 0; half < 2; half++) {
    for (int distance = 1; distance < 4; distance *= 2) total[half] += __shfl_xor_sync(0xffffffffu, total[half], distance);
    const float inverse = 1.0f / total[half];
#pragma unroll
    for (int d = 0; d < WIDTH / 8; d++) {
      T* const to = q_tile + swizzled<WIDTH>(warp_row + half * 8 + lane / 4, d) + lane % 4 * 2;
      *reinterpret_cast<unsigned*>(to) = packed<T>(sums[d][2 * half] * inverse, sums[d][2 * half + 1] * inverse);
    }
  }
  __syncwarp();
  const bool whole_chunks = D % CHUNK == 0 && aligned(call.o);
#pragma unroll 1
  for (int i = lane; i < 16 * (WIDTH / CHUNK); i += 32) {
    const int row = warp_row + i / (WIDTH / CHUNK);
    const int chunk = i % (WIDTH / CHUNK);
    if (first_query + row >= call.queries || chunk * CHUNK >= D) continue;
    T* const to = call.o + (static_cast<long long>(first_query + row) * call.Nq + head) * D + chunk * CHUNK;
    const T* const from = q_tile + swizzled<WIDTH>(row, chunk);
    if (whole_chunks) {
      *reinterpret_cast<Chunk<T>*>(to) = *reinterpret_cast<const Chunk<T>*>(from);
    } else {
#pragma unroll 1
      for (int j = 0; j < CHUNK && chunk * CHUNK + j < D; j++) to[j] = from[j];
    }
  }
}

template <typename T>
__device__ __forceinline__ void attention(const Attention<T>& call) {
  if (call.D <= 64) attention<T, 64, 64>(call);
  else if (call.D <= 128) attention<T, 128, 64>(call);
  else if (call.D <= 256) attention<T, 256, 16>(call);
}

}  // namespace fused

#define ENTRY(T, DTYPE)                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(fused::THREADS, 3)                                                                          \
  attention_##DTYPE(const T* q, const T* k, const T* v, T* o, int tokens, int S, int Nq, int Nkv, int D, float scale, int causal,          \
                    int window, float softcap) {                                                                                           \
    fused::attention<T>({q, k, v, o, tokens, S, Nq, Nkv, D, scale, causal, window, softcap});                                              \
  }

ENTRY(__nv_bfloat16, bf16)
ENTRY(__half, f16)

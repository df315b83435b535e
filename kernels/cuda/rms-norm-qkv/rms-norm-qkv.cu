// q, k, v = RMS norm of x, times the stacked projection weights: the norm is applied to a tile of x on its way to the tensor cores, so the normed
// tensor never leaves the chip. Three sets of entries share the matrix product:
//   rms_norm_qkv                rounds as PyTorch does: normed value, then times the weight (weight_offset other than 0: once, as Gemma)
//   rms_norm_qkv_late_rounding  multiplies by the norm's weight in float32 and rounds once, in every family
//   linear                      no norm: y = x · weightᵀ + bias
// All sums are float32. An element's bits do not depend on how many tokens there are or on the tile that computes it.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace fused {

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

__device__ __forceinline__ bool aligned(const void* pointer, int bytes) {
  return (reinterpret_cast<unsigned long long>(pointer) & (bytes - 1)) == 0;
}

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

// --- the matrix product ---

enum Norm { NONE, EAGER, LATE };

/// y[:, columns] of a product, split over up to three tensors that lie one after another in the columns.
template <typename T>
struct Output {
  T* at0;
  T* at1;
  T* at2;
  int columns0;
  int columns1;
  int columns2;
};

template <typename T>
struct Product {
  /// [rows, inner]
  const T* x;
  /// [inner], or null
  const T* norm_weight;
  /// [columns, inner]
  const T* weight;
  /// [columns], or null
  const T* bias;
  Output<T> y;
  int rows;
  int columns;
  int inner;
  float eps;
  float weight_offset;
  /// Rows of x and the weights lie on 16 bytes and are whole chunks.
  bool vectors;
};

/// How a block of THREADS threads computes ROWS × COLUMNS of y, INNER at a time, with STAGES of copies in flight; a warp computes
/// WARP_ROWS × WARP_COLUMNS. Shared memory: STAGES · (ROWS + COLUMNS) · INNER · 2 bytes.
template <int ROWS_, int COLUMNS_, int INNER_, int WARP_ROWS_, int WARP_COLUMNS_, int STAGES_>
struct Tile {
  static constexpr int ROWS = ROWS_;
  static constexpr int COLUMNS = COLUMNS_;
  static constexpr int INNER = INNER_;
  static constexpr int WARP_ROWS = WARP_ROWS_;
  static constexpr int WARP_COLUMNS = WARP_COLUMNS_;
  static constexpr int STAGES = STAGES_;
  static constexpr int WARPS_DOWN = ROWS / WARP_ROWS;
  static constexpr int THREADS = WARPS_DOWN * (COLUMNS / WARP_COLUMNS) * 32;
  /// Chunks in a row of a tile; threads that copy one row.
  static constexpr int CHUNKS = INNER / CHUNK;
  static constexpr int ROW_STEP = THREADS / CHUNKS;
  static constexpr int X_COPIES = ROWS / ROW_STEP;
  static constexpr int WEIGHT_COPIES = COLUMNS / ROW_STEP;
  static constexpr int STAGE_ELEMENTS = (ROWS + COLUMNS) * INNER;
};

/// Few tokens: many small blocks, so that all multiprocessors read weights. Many tokens: large tiles, so that each value read is used often.
using FewTokens = Tile<64, 32, 64, 32, 16, 4>;
using ManyTokens = Tile<128, 128, 32, 64, 32, 3>;
/// From here on the manifests launch grid, block and shared memory for ManyTokens; they say the same with min(1, T / 512).
constexpr int MANY = 512;

/// Where chunk `chunk` of row `row` lies in a tile: permuted so that the eight rows of a matrix, and the chunks of a row, use all banks.
template <typename Tile_>
__device__ __forceinline__ int swizzled(int row, int chunk) {
  constexpr int SHIFT = Tile_::CHUNKS == 8 ? 0 : 1;
  return row * Tile_::INNER + (chunk ^ ((row >> SHIFT) & (Tile_::CHUNKS - 1))) * CHUNK;
}

/// The part of a matrix that this thread copies to a tile: one chunk of every ROW_STEP-th row from `row` on. What lies outside becomes 0.
template <typename T, typename Tile_, int COPIES>
__device__ __forceinline__ void copy_tile(T* tile, const T* matrix, int first_row, int rows, int first_column, int inner, bool vectors) {
  const int chunk = threadIdx.x % Tile_::CHUNKS;
  const int own_row = threadIdx.x / Tile_::CHUNKS;
  const int column = first_column + chunk * CHUNK;
  if (vectors) {
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
      const int row = own_row + i * Tile_::ROW_STEP;
      const bool inside = first_row + row < rows && column < inner;
      const T* from = matrix + static_cast<long long>(first_row + row) * inner + column;
      copy_async(tile + swizzled<Tile_>(row, chunk), inside ? from : matrix, inside);
    }
    return;
  }
  T zero;
  narrow(0.0f, zero);
#pragma unroll 1
  for (int i = 0; i < COPIES; i++) {
    const int row = own_row + i * Tile_::ROW_STEP;
    const T* from = matrix + static_cast<long long>(first_row + row) * inner + column;
#pragma unroll 1
    for (int j = 0; j < CHUNK; j++) tile[swizzled<Tile_>(row, chunk) + j] = first_row + row < rows && column + j < inner ? from[j] : zero;
  }
}

/// 1 / rms of this thread's rows of x. Threads that copy a row's chunks sum its squares together, always as eight interleaved partial sums, so
/// that a row's scale has the same bits in every tile.
template <typename T, typename Tile_>
__device__ __forceinline__ void row_scales(float (&scale)[Tile_::X_COPIES], const Product<T>& product, int first_row) {
  constexpr int SUMS = 8 / Tile_::CHUNKS;
  const int chunk = threadIdx.x % Tile_::CHUNKS;
  const int row = first_row + threadIdx.x / Tile_::CHUNKS;
  float sums[Tile_::X_COPIES][SUMS] = {};
#pragma unroll 2
  for (int start = 0; start < product.inner; start += 8 * CHUNK) {
#pragma unroll
    for (int i = 0; i < Tile_::X_COPIES; i++) {
#pragma unroll
      for (int s = 0; s < SUMS; s++) {
        const int column = start + (chunk + s * Tile_::CHUNKS) * CHUNK;
        const int at = row + i * Tile_::ROW_STEP;
        if (at >= product.rows || column >= product.inner) continue;
        const T* from = product.x + static_cast<long long>(at) * product.inner + column;
        if (product.vectors) {
          const Chunk<T> values = *reinterpret_cast<const Chunk<T>*>(from);
          for (int j = 0; j < CHUNK; j++) sums[i][s] = fmaf(widen(values.at[j]), widen(values.at[j]), sums[i][s]);
        } else {
#pragma unroll 1
          for (int j = 0; j < CHUNK && column + j < product.inner; j++) sums[i][s] = fmaf(widen(from[j]), widen(from[j]), sums[i][s]);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Tile_::X_COPIES; i++) {
    for (int s = 0; s < SUMS; s++) {
      for (int distance = 1; distance < Tile_::CHUNKS; distance *= 2) sums[i][s] += __shfl_xor_sync(0xffffffffu, sums[i][s], distance);
    }
    float sum = sums[i][0];
    if (SUMS == 2) sum += sums[i][SUMS - 1];
    scale[i] = 1.0f / sqrtf(sum / product.inner + product.eps);
  }
}

/// A chunk of the norm's weight; zeros beyond its end.
template <typename T>
__device__ __forceinline__ Chunk<T> load_weight(const T* norm_weight, int column, int inner, bool vectors) {
  if (vectors && column < inner) return *reinterpret_cast<const Chunk<T>*>(norm_weight + column);
  Chunk<T> result;
  T zero;
  narrow(0.0f, zero);
#pragma unroll
  for (int j = 0; j < CHUNK; j++) result.at[j] = !vectors && column + j < inner ? norm_weight[column + j] : zero;
  return result;
}

template <typename T, Norm NORM>
__device__ __forceinline__ void norm_chunk(T* at, float scale, const Chunk<T>& weight, float weight_offset) {
  Chunk<T> values = *reinterpret_cast<const Chunk<T>*>(at);
#pragma unroll
  for (int j = 0; j < CHUNK; j++) {
    float value = widen(values.at[j]) * scale;
    if (NORM == EAGER && weight_offset == 0.0f) {
      T rounded;
      narrow(value, rounded);
      value = widen(rounded);
    }
    narrow(value * (weight_offset + widen(weight.at[j])), values.at[j]);
  }
  *reinterpret_cast<Chunk<T>*>(at) = values;
}

/// Where element (row, column) of the product goes.
template <typename T>
__device__ __forceinline__ T* place(const Output<T>& y, int row, int column) {
  if (column < y.columns0) return y.at0 + static_cast<long long>(row) * y.columns0 + column;
  column -= y.columns0;
  if (column < y.columns1) return y.at1 + static_cast<long long>(row) * y.columns1 + column;
  return y.at2 + static_cast<long long>(row) * y.columns2 + (column - y.columns1);
}

/// Rounds a block's sums and writes them, by way of shared memory so that whole chunks are written.
template <typename T, typename Tile_, int M, int N>
__device__ __forceinline__ void store(T* shared, const float (&sums)[M][N][4], const Product<T>& product, int first_row, int first_column,
                                      int warp_row, int warp_column) {
  // One chunk of padding keeps the rows of a fragment in different banks.
  constexpr int PITCH = Tile_::COLUMNS + CHUNK;
  static_assert(Tile_::ROWS * PITCH <= Tile_::STAGES * Tile_::STAGE_ELEMENTS, "the result fits where the tiles were");
  const int lane = threadIdx.x % 32;
  __syncthreads();
#pragma unroll
  for (int n = 0; n < N; n++) {
    const int column = warp_column + n * 8 + lane % 4 * 2;
    float bias[2] = {0.0f, 0.0f};
    if (product.bias != nullptr) {
      for (int j = 0; j < 2; j++) {
        if (first_column + column + j < product.columns) bias[j] = widen(product.bias[first_column + column + j]);
      }
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        Pair<T> pair;
        narrow(sums[m][n][2 * half] + bias[0], pair.at[0]);
        narrow(sums[m][n][2 * half + 1] + bias[1], pair.at[1]);
        *reinterpret_cast<Pair<T>*>(shared + (warp_row + m * 16 + half * 8 + lane / 4) * PITCH + column) = pair;
      }
    }
  }
  __syncthreads();
  const Output<T>& y = product.y;
  // Chunks start at columns that are multiples of 8; none is split where the widths are too.
  const bool vectors = y.columns0 % CHUNK == 0 && y.columns1 % CHUNK == 0 && y.columns2 % CHUNK == 0 && aligned(y.at0, 16) &&
                       aligned(y.at1, 16) && aligned(y.at2, 16);
#pragma unroll 1
  for (int i = threadIdx.x; i < Tile_::ROWS * (Tile_::COLUMNS / CHUNK); i += Tile_::THREADS) {
    const int row = i / (Tile_::COLUMNS / CHUNK);
    const int column = i % (Tile_::COLUMNS / CHUNK) * CHUNK;
    const T* from = shared + row * PITCH + column;
    if (first_row + row >= product.rows) break;
    if (vectors) {
      if (first_column + column < product.columns)
        *reinterpret_cast<Chunk<T>*>(place(y, first_row + row, first_column + column)) = *reinterpret_cast<const Chunk<T>*>(from);
      continue;
    }
#pragma unroll 1
    for (int j = 0; j < CHUNK && first_column + column + j < product.columns; j++) *place(y, first_row + row, first_column + column + j) = from[j];
  }
}

template <typename T, typename Tile_, Norm NORM>
__device__ __forceinline__ void multiply(const Product<T>& product) {
  extern __shared__ __align__(16) unsigned char shared[];
  T* const stages = reinterpret_cast<T*>(shared);
  const int first_row = blockIdx.y * Tile_::ROWS;
  const int first_column = blockIdx.x * Tile_::COLUMNS;
  const int chunk = threadIdx.x % Tile_::CHUNKS;
  const int copied_row = threadIdx.x / Tile_::CHUNKS;
  const int steps = (product.inner + Tile_::INNER - 1) / Tile_::INNER;

  const auto copy_stage = [&](int step) {
    T* const x = stages + step % Tile_::STAGES * Tile_::STAGE_ELEMENTS;
    const int column = step * Tile_::INNER;
    copy_tile<T, Tile_, Tile_::X_COPIES>(x, product.x, first_row, product.rows, column, product.inner, product.vectors);
    copy_tile<T, Tile_, Tile_::WEIGHT_COPIES>(x + Tile_::ROWS * Tile_::INNER, product.weight, first_column, product.columns, column,
                                              product.inner, product.vectors);
  };

#pragma unroll 1
  for (int step = 0; step < Tile_::STAGES - 1; step++) {
    if (step < steps) copy_stage(step);
    commit_copies();
  }
  // While the first tiles arrive.
  float scale[Tile_::X_COPIES];
  Chunk<T> norm_weight;
  if (NORM != NONE) {
    row_scales<T, Tile_>(scale, product, first_row);
    norm_weight = load_weight(product.norm_weight, chunk * CHUNK, product.inner, product.vectors);
  }

  constexpr int M = Tile_::WARP_ROWS / 16;
  constexpr int N = Tile_::WARP_COLUMNS / 8;
  float sums[M][N][4] = {};
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warp_row = warp % Tile_::WARPS_DOWN * Tile_::WARP_ROWS;
  const int warp_column = warp / Tile_::WARPS_DOWN * Tile_::WARP_COLUMNS;

#pragma unroll 1
  for (int step = 0; step < steps; step++) {
    T* const x = stages + step % Tile_::STAGES * Tile_::STAGE_ELEMENTS;
    const T* const weight = x + Tile_::ROWS * Tile_::INNER;
    await_copies<Tile_::STAGES - 2>();
    if (NORM != NONE) {
      // A thread norms the chunks that it copied itself: those it sees without a barrier.
#pragma unroll
      for (int i = 0; i < Tile_::X_COPIES; i++) {
        const int row = copied_row + i * Tile_::ROW_STEP;
        norm_chunk<T, NORM>(x + swizzled<Tile_>(row, chunk), scale[i], norm_weight, product.weight_offset);
      }
      norm_weight = load_weight(product.norm_weight, (step + 1) * Tile_::INNER + chunk * CHUNK, product.inner, product.vectors);
    }
    // Now all of this stage is there, and all warps are done with the stage that is filled next.
    __syncthreads();
    if (step + Tile_::STAGES - 1 < steps) copy_stage(step + Tile_::STAGES - 1);
    commit_copies();
#pragma unroll
    for (int k = 0; k < Tile_::INNER / 16; k++) {
      unsigned a[M][4];
      unsigned b[N / 2][4];
#pragma unroll
      for (int m = 0; m < M; m++) load_matrices(a[m], x + swizzled<Tile_>(warp_row + m * 16 + lane % 16, 2 * k + lane / 16));
#pragma unroll
      for (int n = 0; n < N / 2; n++) {
        const int row = warp_column + n * 16 + lane / 16 * 8 + lane % 8;
        load_matrices(b[n], weight + swizzled<Tile_>(row, 2 * k + lane / 8 % 2));
      }
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < N; n++) multiply_add(sums[m][n], a[m], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1], T());
      }
    }
  }

  store<T, Tile_>(stages, sums, product, first_row, first_column, warp_row, warp_column);
}

template <typename T, Norm NORM>
__device__ __forceinline__ void multiply(Product<T> product) {
  product.vectors = product.inner % CHUNK == 0 && aligned(product.x, 16) && aligned(product.weight, 16) &&
                    (NORM == NONE || aligned(product.norm_weight, 16));
  if (product.rows >= MANY) multiply<T, ManyTokens, NORM>(product);
  else multiply<T, FewTokens, NORM>(product);
}

template <typename T, Norm NORM>
__device__ __forceinline__ void rms_norm_qkv(const T* x, const T* norm_weight, const T* qkv_weight, const T* qkv_bias, T* q, T* k, T* v,
                                             int tokens, int H, int Nq, int Nkv, int D, float eps, float weight_offset) {
  const Output<T> y = {q, k, v, Nq * D, Nkv * D, Nkv * D};
  multiply<T, NORM>({x, norm_weight, qkv_weight, qkv_bias, y, tokens, (Nq + 2 * Nkv) * D, H, eps, weight_offset, false});
}

}  // namespace fused

#define ENTRIES(T, DTYPE)                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(256)                                                                                        \
  rms_norm_qkv_##DTYPE(const T* x, const T* norm_weight, const T* qkv_weight, const T* qkv_bias, T* q, T* k, T* v, int tokens, int H,      \
                       int Nq, int Nkv, int D, float eps, float weight_offset) {                                                           \
    fused::rms_norm_qkv<T, fused::EAGER>(x, norm_weight, qkv_weight, qkv_bias, q, k, v, tokens, H, Nq, Nkv, D, eps, weight_offset);        \
  }                                                                                                                                        \
  extern "C" __global__ void __launch_bounds__(256)                                                                                        \
  rms_norm_qkv_late_rounding_##DTYPE(const T* x, const T* norm_weight, const T* qkv_weight, const T* qkv_bias, T* q, T* k, T* v,           \
                                     int tokens, int H, int Nq, int Nkv, int D, float eps, float weight_offset) {                          \
    fused::rms_norm_qkv<T, fused::LATE>(x, norm_weight, qkv_weight, qkv_bias, q, k, v, tokens, H, Nq, Nkv, D, eps, weight_offset);         \
  }                                                                                                                                        \
  extern "C" __global__ void __launch_bounds__(256)                                                                                        \
  linear_##DTYPE(const T* x, const T* weight, const T* bias, T* y, int tokens, int columns, int inner) {                                   \
    fused::multiply<T, fused::NONE>({x, nullptr, weight, bias, {y, y, y, columns, 0, 0}, tokens, columns, inner, 0.0f, 0.0f, false});         \
  }

ENTRIES(__nv_bfloat16, bf16)
ENTRIES(__half, f16)

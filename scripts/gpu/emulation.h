// Runs a .cu file of kernels/cuda on the CPU: every CUDA thread is a coroutine, tensor-core and copy instructions are loops. `verify.py --emulate`
// compiles it, for machines without a GPU. It shows wrong indices, masks, rounding and missing barriers between copies; not speed.

#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#define FUSED_COMPAT_EMULATION
#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __align__(bytes)
#define __shared__ static

using std::max;
using std::min;

struct __nv_bfloat16 {
  uint16_t bits;
};
struct __half {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (value != value) return {0x7fff};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

inline float __half2float(__half value) {
  const int exponent = value.bits >> 10 & 31;
  const int mantissa = value.bits & 1023;
  const float sign = value.bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24) : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25));
}

inline __half __float2half_rn(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (value != value) return {0x7fff};
  if (size == 0.0f) return {sign};
  if (size >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
  int exponent;
  std::frexp(size, &exponent);
  // Values below 2^-14 share one step, 2^-24.
  const int step = std::max(exponent - 11, -24);
  // nearbyint rounds halves to even.
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(size, -step)));
  if (step == -24) return {static_cast<uint16_t>(sign | steps)};
  return {static_cast<uint16_t>(sign | (((step + 24) << 10) + steps))};
}

namespace emulation {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

constexpr size_t STACK_BYTES = 256 * 1024;

struct Copy {
  void* to;
  const void* from;
  bool valid;
};

struct Thread {
  ucontext_t context;
  std::vector<char> stack;
  bool done = false;
  unsigned id = 0;
  std::vector<std::vector<Copy>> groups;
};

/// What the lanes of a warp give one another; two sets, because a lane may be one exchange ahead.
struct Warp {
  long generation = 0;
  int arrived = 0;
  const void* pointers[2][32];
  unsigned words[2][32][6];
};

inline std::vector<Thread> threads;
inline std::vector<Warp> warps;
inline ucontext_t scheduler;
inline Thread* current = nullptr;
inline long barrier = 0;
inline unsigned waiting = 0;
inline unsigned running = 0;
inline unsigned char* dynamic_shared = nullptr;
inline std::function<void()> body;

inline void yield() { swapcontext(&current->context, &scheduler); }

inline void enter() {
  body();
  current->done = true;
  running--;
  yield();
}

/// Fills this lane's place, waits until the whole warp has, and gives the set that they filled.
template <typename Fill>
int exchange(Fill fill) {
  Warp& warp = warps[current->id / 32];
  const long generation = warp.generation;
  const int set = generation % 2;
  fill(warp, set, current->id % 32);
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    warp.generation++;
  }
  while (warp.generation == generation) yield();
  return set;
}

}  // namespace emulation

inline emulation::Index threadIdx, blockIdx, gridDim, blockDim;

inline void __syncthreads() {
  using namespace emulation;
  const long generation = barrier;
  waiting++;
  while (barrier == generation) {
    if (waiting == running) {
      waiting = 0;
      barrier++;
    } else {
      yield();
    }
  }
}

inline void __syncwarp() { emulation::exchange([](emulation::Warp&, int, unsigned) {}); }

inline float __shfl_xor_sync(unsigned, float value, int distance) {
  using namespace emulation;
  const int set = exchange([&](Warp& warp, int at, unsigned lane) { std::memcpy(&warp.words[at][lane][0], &value, 4); });
  float result;
  std::memcpy(&result, &warps[current->id / 32].words[set][(current->id % 32) ^ distance][0], 4);
  return result;
}

namespace fused {

// A copy is not there before it was waited for: until then the place holds NaN.
inline void copy_async(void* to, const void* from, bool valid) {
  auto& groups = emulation::current->groups;
  if (groups.empty()) groups.emplace_back();
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) & 15) std::abort();
  std::memset(to, 0xff, 16);
  groups.back().push_back({to, from, valid});
}

inline void commit_copies() {
  auto& groups = emulation::current->groups;
  if (groups.empty()) groups.emplace_back();
  groups.emplace_back();
}

template <int PENDING>
void await_copies() {
  auto& groups = emulation::current->groups;
  // The last group is not committed yet.
  while (groups.size() > PENDING + 1) {
    for (const auto& copy : groups.front()) {
      if (copy.valid) std::memcpy(copy.to, copy.from, 16);
      else std::memset(copy.to, 0, 16);
    }
    groups.erase(groups.begin());
  }
}

inline const uint16_t* matrix_row(int set, int lane) {
  return static_cast<const uint16_t*>(emulation::warps[emulation::current->id / 32].pointers[set][lane]);
}

inline int give_row(const void* row) {
  if (reinterpret_cast<uintptr_t>(row) & 15) std::abort();
  return emulation::exchange([&](emulation::Warp& warp, int set, unsigned lane) { warp.pointers[set][lane] = row; });
}

inline void load_matrices(unsigned (&to)[4], const void* row) {
  const int set = give_row(row);
  const int lane = emulation::current->id % 32;
  for (int i = 0; i < 4; i++) std::memcpy(&to[i], matrix_row(set, 8 * i + lane / 4) + lane % 4 * 2, 4);
}

inline void load_matrices_transposed(unsigned (&to)[4], const void* row) {
  const int set = give_row(row);
  const int lane = emulation::current->id % 32;
  for (int i = 0; i < 4; i++) {
    const unsigned low = matrix_row(set, 8 * i + lane % 4 * 2)[lane / 4];
    const unsigned high = matrix_row(set, 8 * i + lane % 4 * 2 + 1)[lane / 4];
    to[i] = low | high << 16;
  }
}

template <typename T>
float element(unsigned word, int half) {
  T value;
  value.bits = static_cast<uint16_t>(half == 0 ? word : word >> 16);
  if constexpr (std::is_same_v<T, __half>) return __half2float(value);
  else return __bfloat162float(value);
}

template <typename T>
void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, T) {
  const int set = emulation::exchange([&](emulation::Warp& warp, int at, unsigned lane) {
    for (int i = 0; i < 4; i++) warp.words[at][lane][i] = a[i];
    warp.words[at][lane][4] = b0;
    warp.words[at][lane][5] = b1;
  });
  const auto& words = emulation::warps[emulation::current->id / 32].words[set];
  const int lane = emulation::current->id % 32;
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + i / 2 * 8;
    const int column = lane % 4 * 2 + i % 2;
    float sum = 0.0f;
    for (int k = 0; k < 16; k++) {
      const float left = element<T>(words[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2], k % 2);
      sum += left * element<T>(words[column * 4 + k % 8 / 2][4 + k / 8], k % 2);
    }
    c[i] += sum;
  }
}

}  // namespace fused

namespace emulation {

template <typename... Args, size_t... I>
void call(void (*kernel)(Args...), void** args, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_const_t<Args>*>(args[I])...);
}

template <typename... Args>
std::function<void(void**)> entry(void (*kernel)(Args...)) {
  return [kernel](void** args) { call(kernel, args, std::index_sequence_for<Args...>()); };
}

inline void run_block(unsigned count) {
  threads.resize(count);
  warps.assign((count + 31) / 32, Warp());
  waiting = 0;
  running = count;
  for (unsigned id = 0; id < count; id++) {
    Thread& thread = threads[id];
    thread.stack.resize(STACK_BYTES);
    thread.done = false;
    thread.id = id;
    thread.groups.clear();
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = STACK_BYTES;
    thread.context.uc_link = &scheduler;
    makecontext(&thread.context, enter, 0);
  }
  while (running > 0) {
    for (Thread& thread : threads) {
      if (thread.done) continue;
      current = &thread;
      threadIdx = {thread.id, 0, 0};
      swapcontext(&scheduler, &thread.context);
    }
  }
}

inline int launch(const std::function<void(void**)>& kernel, const unsigned* grid, unsigned block, unsigned shared_bytes, void** args) {
  constexpr size_t CANARY = 64;
  std::vector<unsigned char> memory(shared_bytes + 16 + CANARY, 0xff);
  dynamic_shared = memory.data() + (16 - reinterpret_cast<uintptr_t>(memory.data()) % 16) % 16;
  body = [&] { kernel(args); };
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block, 1, 1};
  for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++) {
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++) {
      for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++) {
        std::memset(dynamic_shared, 0xff, shared_bytes);
        run_block(block);
        for (size_t i = 0; i < CANARY - 16; i++) {
          if (dynamic_shared[shared_bytes + i] != 0xff) return 1;
        }
      }
    }
  }
  return 0;
}

}  // namespace emulation

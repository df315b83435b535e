// A stand-in for libcuda.so.1 on machines without a GPU: device memory is heap memory, and kernels are the C functions below, chosen by the entry's name.
// It refuses what the real one refuses (addresses that were never allocated, freed ones, wrong contexts) and ends with an error when memory is left over.
// Built and put on LD_LIBRARY_PATH by backend.test.ts. Environment: FAKE_DEVICES, FAKE_MEMORY (bytes), FAKE_CAPABILITY (90), FAKE_LOG (a file).

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef uint64_t CUdeviceptr;

enum {
  INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NO_BINARY = 209,
  INVALID_PTX = 218, UNSUPPORTED_PTX = 222, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, UNKNOWN = 999,
};

static int initialised, current, sticky, queries;
static size_t used;
static struct { uint64_t address; size_t bytes; } blocks[1024];
static int block_count, peak_blocks, allocations;
struct function { char name[64]; };
static struct function functions[64];
static int function_count;
static char *module_text;

static long long setting(const char *name, long long otherwise) {
  const char *text = getenv(name);
  return text && *text ? atoll(text) : otherwise;
}

static void note(const char *line) {
  const char *path = getenv("FAKE_LOG");
  if (!path || !*path) return;
  FILE *file = fopen(path, "a");
  fprintf(file, "%s\n", line);
  fclose(file);
}

#define READY if (!initialised) return NOT_INITIALIZED; if (!current) return INVALID_CONTEXT; if (sticky) return sticky

CUresult cuInit(unsigned flags) {
  if (flags) return INVALID_VALUE;
  if (setting("FAKE_DEVICES", 1) == 0) return NO_DEVICE;
  initialised = 1;
  note("init");
  return 0;
}
CUresult cuDriverGetVersion(int *version) { *version = 12040; return 0; }
CUresult cuGetErrorName(int error, const char **text) {
  switch (error) {
    case INVALID_VALUE: *text = "CUDA_ERROR_INVALID_VALUE"; return 0;
    case OUT_OF_MEMORY: *text = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
    case NO_DEVICE: *text = "CUDA_ERROR_NO_DEVICE"; return 0;
    case INVALID_IMAGE: *text = "CUDA_ERROR_INVALID_IMAGE"; return 0;
    case NO_BINARY: *text = "CUDA_ERROR_NO_BINARY_FOR_GPU"; return 0;
    case INVALID_PTX: *text = "CUDA_ERROR_INVALID_PTX"; return 0;
    case UNSUPPORTED_PTX: *text = "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"; return 0;
    case NOT_FOUND: *text = "CUDA_ERROR_NOT_FOUND"; return 0;
    case ILLEGAL_ADDRESS: *text = "CUDA_ERROR_ILLEGAL_ADDRESS"; return 0;
    default: *text = NULL; return INVALID_VALUE;
  }
}
CUresult cuGetErrorString(int error, const char **text) {
  *text = error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : error == NO_DEVICE ? "no CUDA-capable device is detected" : "it is wrong";
  return 0;
}
CUresult cuDeviceGetCount(int *count) { *count = (int)setting("FAKE_DEVICES", 1); return initialised ? 0 : NOT_INITIALIZED; }
CUresult cuDeviceGet(int *device, int ordinal) { *device = 7; return ordinal ? INVALID_VALUE : 0; }
CUresult cuDeviceGetName(char *name, int bytes, int device) { snprintf(name, (size_t)bytes, "Fake H200"); return device == 7 ? 0 : INVALID_VALUE; }
CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
  if (device != 7) return INVALID_VALUE;
  int capability = (int)setting("FAKE_CAPABILITY", 90);
  switch (attribute) {
    case 1: case 2: case 3: *value = 1024; return 0;
    case 4: *value = 64; return 0;
    case 5: *value = 2147483647; return 0;
    case 6: case 7: *value = 65535; return 0;
    case 8: *value = 49152; return 0;
    case 38: *value = 65536; return 0;
    case 75: *value = capability / 10; return 0;
    case 76: *value = capability % 10; return 0;
    case 97: *value = 232448; return 0;
    default: return INVALID_VALUE;
  }
}
CUresult cuDevicePrimaryCtxRetain(uint64_t *context, int device) { *context = 0xc0de; return device == 7 && initialised ? 0 : INVALID_VALUE; }
CUresult cuDevicePrimaryCtxRelease_v2(int device) {
  char line[80];
  snprintf(line, sizeof line, "released with %d blocks", block_count);
  note(line);
  return device == 7 ? 0 : INVALID_VALUE;
}
CUresult cuCtxSetCurrent(uint64_t context) { current = context == 0xc0de; return current ? 0 : INVALID_CONTEXT; }

CUresult cuModuleLoadDataEx(uint64_t *module, const void *image, unsigned count, int *options, void **values) {
  READY;
  const char *text = image;
  for (unsigned i = 0; i < count; i++)
    if (options[i] == 5) snprintf(values[i], 16384, "%s", strstr(text, "broken") ? "ptxas line 3: syntax error near 'broken'\nptxas fatal: aborted\n" : "");
  if (strstr(text, "cubin for another")) return NO_BINARY;
  const char *version = strstr(text, ".version"), *target = strstr(text, ".target sm_");
  if (!version) return INVALID_IMAGE;
  if (atof(version + 8) > 8.4) return UNSUPPORTED_PTX;
  if (strstr(text, "broken") || (target && atoi(target + 11) > setting("FAKE_CAPABILITY", 90))) return INVALID_PTX;
  module_text = strdup(text);
  *module = 0x30d;
  return 0;
}
CUresult cuModuleUnload(uint64_t module) { return module == 0x30d ? 0 : INVALID_VALUE; }
CUresult cuModuleGetFunction(uint64_t *function, uint64_t module, const char *name) {
  READY;
  char wanted[80];
  snprintf(wanted, sizeof wanted, ".entry %s(", name);
  if (module != 0x30d || !strstr(module_text, wanted)) return NOT_FOUND;
  snprintf(functions[function_count % 64].name, 64, "%s", name);
  *function = (uint64_t)(uintptr_t)&functions[function_count++ % 64];
  return 0;
}
CUresult cuFuncGetAttribute(int *value, int attribute, uint64_t function) {
  const char *name = ((struct function *)(uintptr_t)function)->name;
  if (attribute == 0) *value = strcmp(name, "many_registers") ? 1024 : 256;
  else if (attribute == 1) *value = strcmp(name, "own_shared") ? 0 : 1024;
  else return INVALID_VALUE;
  return 0;
}
static int allowed_shared = 49152;
CUresult cuFuncSetAttribute(uint64_t function, int attribute, int value) {
  (void)function;
  if (attribute != 8 || value > 232448) return INVALID_VALUE;
  allowed_shared = value;
  return 0;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  READY;
  if (used + bytes > (size_t)setting("FAKE_MEMORY", 1ll << 30) || block_count == 1024) return OUT_OF_MEMORY;
  void *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(memory, 0x11, bytes);
  blocks[block_count].address = (uint64_t)(uintptr_t)memory;
  blocks[block_count++].bytes = bytes;
  if (block_count > peak_blocks) peak_blocks = block_count;
  char line[80];
  snprintf(line, sizeof line, "allocation %d", ++allocations);
  note(line);
  used += bytes;
  *address = (uint64_t)(uintptr_t)memory;
  return 0;
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  if (sticky) return sticky;
  for (int i = 0; i < block_count; i++) {
    if (blocks[i].address != address) continue;
    free((void *)(uintptr_t)address);
    used -= blocks[i].bytes;
    blocks[i] = blocks[--block_count];
    return 0;
  }
  return INVALID_VALUE;
}
CUresult cuMemGetInfo_v2(size_t *left, size_t *total) {
  *total = (size_t)setting("FAKE_MEMORY", 1ll << 30);
  *left = *total - used;
  return 0;
}
static int inside(CUdeviceptr address, size_t bytes) {
  for (int i = 0; i < block_count; i++)
    if (address >= blocks[i].address && address + bytes <= blocks[i].address + blocks[i].bytes) return 1;
  return 0;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  READY;
  if (!inside(to, bytes)) return INVALID_VALUE;
  memcpy((void *)(uintptr_t)to, from, bytes);
  return 0;
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  READY;
  if (!inside(from, bytes)) return INVALID_VALUE;
  memcpy(to, (void *)(uintptr_t)from, bytes);
  return 0;
}
#define FILL(NAME, TYPE)                                                        \
  CUresult NAME(CUdeviceptr at, TYPE value, size_t count) {                     \
    READY;                                                                      \
    if (at % sizeof(TYPE) || !inside(at, count * sizeof(TYPE))) return INVALID_VALUE; \
    for (size_t i = 0; i < count; i++) ((TYPE *)(uintptr_t)at)[i] = value;      \
    return 0;                                                                   \
  }
FILL(cuMemsetD8_v2, uint8_t)
FILL(cuMemsetD16_v2, uint16_t)
FILL(cuMemsetD32_v2, uint32_t)

// The kernels: rms_norm in bfloat16 with parameters x, weight, y, T:i32, H:i32, eps:f32, as PyTorch rounds it, and mutants of it.

static float load(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}
static uint16_t store(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
static void rms_norm(const uint16_t *x, const uint16_t *weight, uint16_t *y, int rows, int columns, float eps) {
  for (int row = 0; row < rows; row++) {
    double sum = 0;
    for (int i = 0; i < columns; i++) sum += (double)load(x[row * columns + i]) * load(x[row * columns + i]);
    float scale = (float)(1 / sqrt(sum / columns + eps));
    for (int i = 0; i < columns; i++)
      y[row * columns + i] = store(load(weight[i]) * load(store(load(x[row * columns + i]) * scale)));
  }
}

static uint64_t launched_grid;
CUresult cuLaunchKernel(uint64_t function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                        uint64_t stream, void **params, void **extra) {
  READY;
  if (stream || extra || !gx || !gy || !gz || !bx || !by || !bz || (int)shared > allowed_shared) return INVALID_VALUE;
  const char *name = ((struct function *)(uintptr_t)function)->name;
  queries = 3;
  launched_grid = gx;
  if (!strcmp(name, "linear_null")) {
    // Parameters x, weight, bias, y: gives 1 where bias is null, else 2.
    uint16_t *y = *(uint16_t **)params[3];
    y[0] = store(*(uint64_t *)params[2] == 0 ? 1 : 2);
    return 0;
  }
  if (!strcmp(name, "rope_scalars")) {
    // Parameters q, k, cos, sin, out_q, out_k, layout:i32, rotary_dim:u32, T:i64, Nq:u64, Nkv:f32, D:f64: one of each type.
    uint16_t *q = *(uint16_t **)params[4], *k = *(uint16_t **)params[5];
    q[0] = store((float)*(int32_t *)params[6]);
    q[1] = store((float)*(uint32_t *)params[7]);
    q[2] = store((float)*(int64_t *)params[8]);
    q[3] = store((*(float **)params[2])[1]);
    k[0] = store((float)*(uint64_t *)params[9]);
    k[1] = store(*(float *)params[10]);
    k[2] = store((float)*(double *)params[11]);
    k[3] = (*(uint16_t **)params[1])[3];
    return 0;
  }
  uint16_t *x = *(uint16_t **)params[0], *weight = *(uint16_t **)params[1], *y = *(uint16_t **)params[2];
  int rows = *(int *)params[3], columns = *(int *)params[4];
  float eps = *(float *)params[5];
  if (!inside((uint64_t)(uintptr_t)x, (size_t)rows * columns * 2) || (uint64_t)(uintptr_t)y % 256) return sticky = ILLEGAL_ADDRESS;
  if (!strcmp(name, "illegal") || (!strcmp(name, "illegal_when_long") && rows > 5)) { sticky = ILLEGAL_ADDRESS; return 0; }
  if (!strcmp(name, "crash")) abort();
  if (!strcmp(name, "hang")) queries = 1 << 30;
  if (!strcmp(name, "nothing")) return 0;
  if (!strcmp(name, "tail")) rows = rows / 8 * 8;
  if (!strcmp(name, "half_rows")) {
    rms_norm(x, weight, y, rows, columns, eps);
    for (int i = columns - 4; i < columns; i++) y[2 * columns + i] = y[columns + i] = 0xffd5;
    return 0;
  }
  if (!strcmp(name, "past_end")) { rms_norm(x + 1, weight, y, rows, columns, eps); return 0; }
  rms_norm(x, weight, y, rows, columns, eps);
  if (!strcmp(name, "overrun")) y[rows * columns + 3] = 0;
  if (!strcmp(name, "underrun")) x[-5] = 0;
  if (!strcmp(name, "in_place")) x[17] ^= 1;
  return 0;
}
CUresult cuStreamQuery(uint64_t stream) {
  READY;
  if (stream) return INVALID_VALUE;
  return queries-- > 0 ? NOT_READY : 0;
}
static uint64_t events;
CUresult cuEventCreate(uint64_t *event, unsigned flags) { READY; *event = 0xe0 + events++; return flags ? INVALID_VALUE : 0; }
CUresult cuEventRecord(uint64_t event, uint64_t stream) { READY; return event < 0xe0 || stream ? INVALID_VALUE : 0; }
CUresult cuEventElapsedTime(float *milliseconds, uint64_t start, uint64_t end) {
  static int calls;
  // 5, 1, 4, 2, 3 ... microseconds: a median that is neither the first nor the last.
  static const float times[] = {0.005f, 0.001f, 0.004f, 0.002f, 0.003f};
  *milliseconds = times[calls++ % 5];
  return start < end ? 0 : INVALID_VALUE;
}
CUresult cuEventDestroy_v2(uint64_t event) { return event < 0xe0 ? INVALID_VALUE : 0; }

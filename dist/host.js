import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  SIZES,
  list,
  namedTensors,
  parameters,
  parseExpression
} from "./chunk-JLC4LN5G.js";
import {
  onnxruntimeKernel
} from "./chunk-K7JK76OL.js";
import {
  DeviceLost,
  KernelError,
  bfloat16ToFloat32,
  float16ToFloat32,
  roundToBfloat16,
  roundToFloat16
} from "./chunk-S2ZBP3JJ.js";
import {
  callSizes,
  contractInputs,
  contractOutputs,
  outputShapes
} from "./chunk-OWGKBW5B.js";
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import "./chunk-DJ56H66L.js";
import {
  loadOnnxRuntime,
  onnxruntimeVersion
} from "./chunk-CKWNN2OS.js";
import {
  firstLine,
  init_native,
  loadPacked
} from "./chunk-AHTNRT6P.js";
import "./chunk-QZ7MPQQF.js";
import "./chunk-H45APEIH.js";

// src/kernels/cuda.ts
import { setTimeout as sleep } from "node:timers/promises";

// src/kernels/cuda/koffi.ts
init_native();
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
async function loadKoffi() {
  try {
    if (false) return await null;
    const host = `${process.platform}-${process.arch}`;
    const folder = fileURLToPath(new URL(`./native/${host}`, import.meta.url));
    if (!existsSync(folder)) return createRequire(import.meta.url)("koffi");
    await loadPacked("koffi", { folder, env: process.env, load: createRequire(import.meta.url) });
    return await import("./indirect-5CXSFGNN.js");
  } catch (error) {
    throw new KernelError(
      `koffi, with which fused-compat calls CUDA, could not be loaded (${firstLine(error)}); it comes with fused-compat for linux-x64`
    );
  }
}

// src/kernels/cuda/driver.ts
var SUCCESS = 0;
var NO_DEVICE = 100;
var NOT_READY = 600;
var OUT_OF_MEMORY = 2;
var INVALID_IMAGE = 200;
var NO_BINARY_FOR_GPU = 209;
var INVALID_PTX = 218;
var JIT_COMPILER_NOT_FOUND = 221;
var UNSUPPORTED_PTX_VERSION = 222;
var INVALID_SOURCE = 300;
var NOT_FOUND = 500;
var STICKY = /* @__PURE__ */ new Set([4, 46, 201, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999]);
var ATTRIBUTES = {
  max_threads: 1,
  max_block_x: 2,
  max_block_y: 3,
  max_block_z: 4,
  max_grid_x: 5,
  max_grid_y: 6,
  max_grid_z: 7,
  shared_bytes: 8,
  l2_bytes: 38,
  major: 75,
  minor: 76,
  shared_bytes_opt_in: 97
};
var FUNCTION_MAX_THREADS = 0;
var FUNCTION_STATIC_SHARED = 1;
var FUNCTION_MAX_DYNAMIC_SHARED = 8;
var JIT_INFO_LOG_BUFFER = 3;
var JIT_INFO_LOG_BUFFER_SIZE = 4;
var JIT_ERROR_LOG_BUFFER = 5;
var JIT_ERROR_LOG_BUFFER_SIZE = 6;
var LOG_BYTES = 16384;
var CudaError = class extends KernelError {
  constructor(message, code, log = "") {
    super(message);
    this.code = code;
    this.log = log;
  }
  code;
  log;
};
function bind(library) {
  return {
    cuInit: library.func("int cuInit(uint32_t flags)"),
    cuDriverGetVersion: library.func("int cuDriverGetVersion(void *version)"),
    cuGetErrorName: library.func("int cuGetErrorName(int error, _Out_ const char **text)"),
    cuGetErrorString: library.func("int cuGetErrorString(int error, _Out_ const char **text)"),
    cuDeviceGetCount: library.func("int cuDeviceGetCount(void *count)"),
    cuDeviceGet: library.func("int cuDeviceGet(void *device, int ordinal)"),
    cuDeviceGetName: library.func("int cuDeviceGetName(void *name, int bytes, int device)"),
    cuDeviceGetAttribute: library.func("int cuDeviceGetAttribute(void *value, int attribute, int device)"),
    cuDevicePrimaryCtxRetain: library.func("int cuDevicePrimaryCtxRetain(void *context, int device)"),
    cuDevicePrimaryCtxRelease: library.func("int cuDevicePrimaryCtxRelease_v2(int device)"),
    cuCtxSetCurrent: library.func("int cuCtxSetCurrent(uint64_t context)"),
    cuModuleLoadDataEx: library.func(
      "int cuModuleLoadDataEx(void *module, const void *image, uint32_t count, void *options, void *values)"
    ),
    cuModuleUnload: library.func("int cuModuleUnload(uint64_t module)"),
    cuModuleGetFunction: library.func("int cuModuleGetFunction(void *kernel, uint64_t module, const char *name)"),
    cuFuncGetAttribute: library.func("int cuFuncGetAttribute(void *value, int attribute, uint64_t kernel)"),
    cuFuncSetAttribute: library.func("int cuFuncSetAttribute(uint64_t kernel, int attribute, int value)"),
    cuMemAlloc: library.func("int cuMemAlloc_v2(void *address, size_t bytes)"),
    cuMemFree: library.func("int cuMemFree_v2(uint64_t address)"),
    cuMemGetInfo: library.func("int cuMemGetInfo_v2(void *free, void *total)"),
    cuMemcpyHtoD: library.func("int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)"),
    cuMemcpyDtoH: library.func("int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes)"),
    cuMemsetD8: library.func("int cuMemsetD8_v2(uint64_t at, uint8_t value, size_t count)"),
    cuMemsetD16: library.func("int cuMemsetD16_v2(uint64_t at, uint16_t value, size_t count)"),
    cuMemsetD32: library.func("int cuMemsetD32_v2(uint64_t at, uint32_t value, size_t count)"),
    cuLaunchKernel: library.func(
      "int cuLaunchKernel(uint64_t kernel, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by, uint32_t bz, uint32_t shared, uint64_t stream, void *params, void *extra)"
    ),
    cuStreamQuery: library.func("int cuStreamQuery(uint64_t stream)"),
    cuEventCreate: library.func("int cuEventCreate(void *event, uint32_t flags)"),
    cuEventRecord: library.func("int cuEventRecord(uint64_t event, uint64_t stream)"),
    cuEventElapsedTime: library.func("int cuEventElapsedTime(void *milliseconds, uint64_t start, uint64_t end)"),
    cuEventDestroy: library.func("int cuEventDestroy_v2(uint64_t event)")
  };
}
var STREAM = 0n;
async function openDriver(env = process.env) {
  const cuda = bindDriver(await loadKoffi());
  const failure = failureOf(cuda);
  const check2 = (code, what) => {
    if (code !== SUCCESS) throw failure(code, what);
  };
  const started = cuda.cuInit(0);
  if (started !== SUCCESS) throw noDevice(started, failure(started, "CUDA cannot start").message, env);
  const count = int((value) => check2(cuda.cuDeviceGetCount(value), "devices could not be counted"));
  if (count === 0) throw noDevice(NO_DEVICE, "the driver shows no device", env);
  const ordinal = int((value) => check2(cuda.cuDeviceGet(value, 0), "device 0 could not be opened"));
  const device = describe(cuda, check2, ordinal, count);
  const context = handle((value) => check2(cuda.cuDevicePrimaryCtxRetain(value, ordinal), `${device.name} could not be opened`));
  check2(cuda.cuCtxSetCurrent(context), `${device.name} could not be opened`);
  const { koffi } = cuda;
  return {
    device,
    loadModule: (image) => loadModule(cuda, koffi.address, failure, image),
    unloadModule: (module) => void cuda.cuModuleUnload(module),
    functionOf(module, name) {
      const kernel2 = handle((value) => check2(cuda.cuModuleGetFunction(value, module, name), `function ${name} could not be found`));
      const attribute = (which) => int((value) => check2(cuda.cuFuncGetAttribute(value, which, kernel2), `function ${name}`));
      return { handle: kernel2, maxThreads: attribute(FUNCTION_MAX_THREADS), staticShared: attribute(FUNCTION_STATIC_SHARED) };
    },
    allowShared: (kernel2, bytes) => check2(cuda.cuFuncSetAttribute(kernel2.handle, FUNCTION_MAX_DYNAMIC_SHARED, bytes), `${bytes} bytes of shared memory were refused`),
    allocate: (bytes) => handle((value) => check2(cuda.cuMemAlloc(value, bytes), `${bytes} bytes of GPU memory were refused`)),
    free: (address) => void cuda.cuMemFree(address),
    freeBytes() {
      const total = new BigUint64Array(1);
      return Number(handle((value) => check2(cuda.cuMemGetInfo(value, total), "the free memory could not be read")));
    },
    upload: (to, from) => check2(cuda.cuMemcpyHtoD(to, from, from.byteLength), "an input could not be copied to the GPU"),
    download: (to, from) => check2(cuda.cuMemcpyDtoH(to, from, to.byteLength), "an output could not be copied from the GPU"),
    fill(at2, width, value, size) {
      const fill = { 1: cuda.cuMemsetD8, 2: cuda.cuMemsetD16, 4: cuda.cuMemsetD32 }[width];
      if (size > 0) check2(fill(at2, value, size), "GPU memory could not be filled");
    },
    launch: (kernel2, { grid, block, sharedBytes }, params) => check2(cuda.cuLaunchKernel(kernel2.handle, ...grid, ...block, sharedBytes, STREAM, params, null), "the launch was refused"),
    idle() {
      const code = cuda.cuStreamQuery(STREAM);
      if (code !== NOT_READY) check2(code, "the kernel failed");
      return code !== NOT_READY;
    },
    createEvent: () => handle((value) => check2(cuda.cuEventCreate(value, 0), "no event could be made")),
    recordEvent: (event) => check2(cuda.cuEventRecord(event, STREAM), "the launch could not be timed"),
    elapsed(from, to) {
      const milliseconds = new Float32Array(1);
      check2(cuda.cuEventElapsedTime(milliseconds, from, to), "the launch could not be timed");
      return milliseconds[0] * 1e3;
    },
    destroyEvent: (event) => void cuda.cuEventDestroy(event),
    close: () => void cuda.cuDevicePrimaryCtxRelease(ordinal)
  };
}
function bindDriver(koffi) {
  let library;
  try {
    library = koffi.load("libcuda.so.1");
  } catch (error) {
    const reason = printable(error.message.split("\n")[0] ?? "");
    throw new KernelError(`libcuda.so.1 cannot be loaded (${reason}): run on a machine with an NVIDIA GPU and its driver`);
  }
  try {
    return { ...bind(library), koffi };
  } catch (error) {
    throw new KernelError(
      `the NVIDIA driver is too old for fused-compat (${printable(error.message)}): install one for CUDA 11 or newer`
    );
  }
}
function failureOf(cuda) {
  const text = (get, code) => {
    const out = [null];
    return get(code, out) === SUCCESS && out[0] !== null ? printable(out[0]) : `error ${code}`;
  };
  return (code, what, log) => {
    const message = `${what} (${text(cuda.cuGetErrorName, code)}: ${text(cuda.cuGetErrorString, code)})`;
    return STICKY.has(code) ? new DeviceLost(message) : new CudaError(message, code, log);
  };
}
function noDevice(code, message, env) {
  const visible = env["CUDA_VISIBLE_DEVICES"];
  const named = visible === void 0 ? "" : `; CUDA_VISIBLE_DEVICES is ${printable(JSON.stringify(visible.slice(0, 100)))}`;
  const advice = code === NO_DEVICE ? "run on a machine with an NVIDIA GPU that this process may use" : "check the driver with nvidia-smi";
  return new KernelError(`${message}${named}: ${advice}`);
}
function describe(cuda, check2, ordinal, count) {
  const name = new Uint8Array(256);
  check2(cuda.cuDeviceGetName(name, name.length, ordinal), "the device has no name");
  const version2 = int((value) => check2(cuda.cuDriverGetVersion(value), "the driver has no version"));
  const limits = Object.fromEntries(
    Object.entries(ATTRIBUTES).map(([key, attribute]) => [
      key,
      int((value) => check2(cuda.cuDeviceGetAttribute(value, attribute, ordinal), `the device did not tell its ${key}`))
    ])
  );
  return {
    name: printable(Buffer.from(name).toString("utf8").replace(/\0.*$/s, "")),
    capability: limits.major * 10 + limits.minor,
    driver: `${Math.floor(version2 / 1e3)}.${Math.floor(version2 % 1e3 / 10)}`,
    count,
    limits
  };
}
function loadModule(cuda, address, failure, image) {
  const [info, errors] = [new Uint8Array(LOG_BYTES), new Uint8Array(LOG_BYTES)];
  const options = Int32Array.of(JIT_INFO_LOG_BUFFER, JIT_INFO_LOG_BUFFER_SIZE, JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE);
  const values = BigUint64Array.of(address(info), BigInt(LOG_BYTES), address(errors), BigInt(LOG_BYTES));
  const ended = new Uint8Array(image.length + 1);
  ended.set(image);
  const module = new BigUint64Array(1);
  const code = cuda.cuModuleLoadDataEx(module, ended, options.length, options, values);
  const log = [errors, info].map((bytes) => Buffer.from(bytes).toString("utf8").replace(/\0.*$/s, "").trim()).filter((text) => text !== "");
  if (code !== SUCCESS) throw failure(code, "it did not load", log.join("\n"));
  return module[0];
}
function int(read) {
  const value = new Int32Array(1);
  read(value);
  return value[0];
}
function handle(read) {
  const value = new BigUint64Array(1);
  read(value);
  return value[0];
}

// src/kernels/cuda/launch.ts
function launchSizes(op, { inputs, attributes }) {
  const known = callSizes(op, inputs, attributes);
  const alias = op === "linear" ? { H: "A", I: "B" } : {};
  return Object.fromEntries(
    SIZES.map((name) => [name, known.get(alias[name] ?? name)]).filter(
      (entry2) => entry2[1] !== void 0
    )
  );
}
function launchShape(manifest, sizes, device, kernel2) {
  const { limits } = device;
  const grid = extent("grid", manifest.grid, sizes, [limits.max_grid_x, limits.max_grid_y, limits.max_grid_z]);
  const block = extent("block", manifest.block, sizes, [limits.max_block_x, limits.max_block_y, limits.max_block_z]);
  const threads = block[0] * block[1] * block[2];
  if (threads > limits.max_threads)
    throw new KernelError(`block is ${block.join(" × ")} = ${threads} threads${at(sizes)}; the device allows ${limits.max_threads}`);
  if (threads > kernel2.maxThreads)
    throw new KernelError(
      `block is ${block.join(" × ")} = ${threads} threads${at(sizes)}; the kernel's registers or its __launch_bounds__ allow ${kernel2.maxThreads}`
    );
  const sharedBytes = compute("shared_bytes", manifest.shared_bytes ?? 0, sizes);
  const room = Math.max(limits.shared_bytes_opt_in, limits.shared_bytes) - kernel2.staticShared;
  if (sharedBytes > room) {
    const own = kernel2.staticShared === 0 ? "" : ` beside the kernel's own ${kernel2.staticShared}`;
    throw new KernelError(`shared_bytes is ${sharedBytes}${at(sizes)}; the device has ${room} bytes for a block${own}`);
  }
  return { grid, block, sharedBytes };
}
function extent(key, given, sizes, limits) {
  const values = [1, 1, 1];
  for (const [i, expression] of list(given).entries()) {
    const name = `${key}.${"xyz"[i] ?? ""}`;
    const value = compute(name, expression, sizes);
    const limit = limits[i] ?? 1;
    if (value < 1 || value > limit) throw new KernelError(`${name} (${expression}) is ${value}${at(sizes)}; it must be from 1 to ${limit}`);
    values[i] = value;
  }
  return values;
}
function compute(key, expression, sizes) {
  try {
    return parseExpression(expression).compute(sizes);
  } catch (error) {
    throw new KernelError(`${key} (${expression}): ${error.message}${at(sizes)}`);
  }
}
function at(sizes) {
  return ` for ${Object.entries(sizes).map(([name, value]) => `${name} = ${value}`).join(", ")}`;
}
function launchArguments(manifest, attributes, sizes, addressOf) {
  return parameters(manifest).map(({ name, type }) => {
    if (type === void 0) return { type: "pointer", value: addressOf(name) ?? 0n };
    const value = sizes[name] ?? asNumber(attributes[name]);
    if (value === void 0) throw new KernelError(`${name}:${type} has no value in this call`);
    if (!fits(type, value)) throw new KernelError(`${name} is ${value} here, which ${type} cannot hold; give it another type in args`);
    return { type, value };
  });
}
var CODES = [
  ["half", "interleaved"],
  ["silu", "gelu_tanh"]
];
function asNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  const code = CODES.map((names) => names.indexOf(String(value))).find((index) => index >= 0);
  return value === void 0 ? void 0 : code;
}
var RANGES = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1]
};
function fits(type, value) {
  if (type === "f32" || type === "f64") return true;
  const [least, most] = RANGES[type];
  return Number.isInteger(value) && value >= least && value <= most;
}
var SLOT_BYTES = 8;
function packArguments(given) {
  const bytes = new Uint8Array(Math.max(1, given.length) * SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, argument] of given.entries()) {
    const offset = i * SLOT_BYTES;
    if (argument.type === "pointer") view.setBigUint64(offset, argument.value, true);
    else WRITE[argument.type](view, offset, argument.value);
  }
  return bytes;
}
var WRITE = {
  i32: (view, offset, value) => view.setInt32(offset, value, true),
  u32: (view, offset, value) => view.setUint32(offset, value, true),
  i64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  u64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
  f32: (view, offset, value) => view.setFloat32(offset, value, true),
  f64: (view, offset, value) => view.setFloat64(offset, value, true),
  bool: (view, offset, value) => view.setUint8(offset, value)
};
function slotAddresses(base, count) {
  return BigUint64Array.from({ length: count }, (_, i) => base + BigInt(i * SLOT_BYTES));
}

// src/kernels/cuda/memory.ts
function layoutOf(dtype, serving) {
  return dtype === "serving" ? serving : dtype;
}
var POISON = {
  bfloat16: { width: 2, value: 65493 },
  float16: { width: 2, value: 65195 },
  float32: { width: 4, value: 4292191653 },
  int64: { width: 1, value: 165 }
};
var ELEMENT_BYTES = { bfloat16: 2, float16: 2, float32: 4, int64: 8 };
var ALIGNMENT = 256;
var MIN_BAND = 4096;
var MAX_BAND = 2 ** 20;
var BAND_ROWS = 64;
function gpuMemory(driver) {
  const idle = [];
  const freeIdle = () => {
    for (const { address } of idle.splice(0)) driver.free(address);
  };
  const allocate = (wanted, what) => {
    const bytes = roundUp(wanted, ALIGNMENT);
    let best = -1;
    for (const [i, each] of idle.entries())
      if (each.bytes >= bytes && each.bytes <= 2 * bytes + MIN_BAND && (best < 0 || each.bytes < idle[best].bytes))
        best = i;
    const [reused] = best < 0 ? [] : idle.splice(best, 1);
    if (reused !== void 0) return reused;
    try {
      return { address: driver.allocate(bytes), bytes };
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== OUT_OF_MEMORY) throw error;
    }
    freeIdle();
    try {
      return { address: driver.allocate(bytes), bytes };
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== OUT_OF_MEMORY) throw error;
      throw new KernelError(`out of GPU memory: ${what} needs ${bytes} bytes, ${driver.freeBytes()} are free (${error.message})`);
    }
  };
  const place2 = (name, role, shape, layout, uploaded) => {
    const bytes = shape.reduce((product, size) => product * size, ELEMENT_BYTES[layout]);
    const rowBytes = shape.length < 2 ? 0 : bytes / Math.max(1, shape[0] ?? 1);
    const band = roundUp(Math.min(MAX_BAND, Math.max(MIN_BAND, BAND_ROWS * rowBytes)), ALIGNMENT);
    const allocation = allocate(bytes + 2 * band, `${role} ${name}`);
    return { name, role, layout, shape, bytes, band, address: allocation.address + BigInt(band), allocation, uploaded };
  };
  const poison = (layout, at2, bytes) => {
    const { width, value } = POISON[layout];
    driver.fill(at2, width, value, bytes / width);
  };
  return {
    input(name, { data, shape }, layout) {
      const bits = bitsOf(data, layout);
      const tensor = place2(name, "input", shape, layout, bits);
      poison(layout, tensor.allocation.address, tensor.band);
      poison(layout, tensor.address + BigInt(tensor.bytes), tensor.band);
      if (tensor.bytes > 0) driver.upload(tensor.address, bits);
      return tensor;
    },
    output(name, shape, layout) {
      const tensor = place2(name, "output", shape, layout, null);
      poison(layout, tensor.allocation.address, tensor.bytes + 2 * tensor.band);
      return tensor;
    },
    read: (tensor) => download(driver, tensor),
    guardViolations(tensor) {
      const clean = poisonBytes(tensor.layout, tensor.band);
      const seen = new Uint8Array(tensor.band);
      const violations = [];
      driver.download(seen, tensor.allocation.address);
      if (!equal(seen, clean)) {
        const last = seen.findLastIndex((byte, i) => byte !== clean[i]);
        violations.push(overwritten(tensor, "before", `the nearest is ${tensor.band - last} bytes before its start`));
      }
      driver.download(seen, tensor.address + BigInt(tensor.bytes));
      if (!equal(seen, clean)) {
        const first = seen.findIndex((byte, i) => byte !== clean[i]);
        violations.push(overwritten(tensor, "after", `the first is ${first} bytes behind its end`));
      }
      return violations;
    },
    inputViolations(tensor) {
      const { uploaded, name } = tensor;
      if (uploaded === null || tensor.bytes === 0) return [];
      const now = download(driver, tensor);
      if (equal(bytesOf(now), bytesOf(uploaded))) return [];
      const first = now.findIndex((bits, i) => bits !== uploaded[i]);
      return [{ check: "inputs_unchanged", detail: `input ${name} was changed (first at element ${first})` }];
    },
    scratch: (bytes) => allocate(bytes, "the memory that empties the cache between timed launches"),
    release: (allocation) => void idle.push(allocation),
    close: freeIdle
  };
}
function overwritten({ role, name }, side, where) {
  return { check: "guard_bands", detail: `memory ${side} ${role} ${name} was overwritten (${where})` };
}
function bitsOf(data, layout) {
  if (layout === "int64") return BigInt64Array.from(data, BigInt);
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (layout === "bfloat16") return roundToBfloat16(values);
  if (layout === "float16") return roundToFloat16(values);
  return new Uint32Array(values.slice().buffer);
}
function valuesOf(bits, layout, shape) {
  if (layout === "int64") return { data: Float64Array.from(bits, Number), shape };
  if (layout === "float32") return { data: new Float32Array(bits.buffer), shape };
  return { data: layout === "bfloat16" ? bfloat16ToFloat32(bits) : float16ToFloat32(bits), shape };
}
function download(driver, { layout, bytes, address }) {
  const count = bytes / ELEMENT_BYTES[layout];
  const bits = layout === "int64" ? new BigInt64Array(count) : layout === "float32" ? new Uint32Array(count) : new Uint16Array(count);
  if (bytes > 0) driver.download(bits, address);
  return bits;
}
function unwritten(name, given, layout, shape) {
  const rows = shape[0] ?? 0;
  if (given.length === 0 || rows === 0) return [];
  const poison = layout === "int64" ? BigInt.asIntN(64, 0xa5a5a5a5a5a5a5a5n) : POISON[layout].value;
  const stride = given.length / rows;
  const missing = new Uint32Array(rows);
  for (let i = 0; i < given.length; i++) {
    if (given[i] !== poison) continue;
    const row = Math.floor(i / stride);
    missing[row] = missing[row] + 1;
  }
  const first = missing.findIndex((count) => count > 0);
  if (first < 0) return [];
  const total = missing.reduce((sum, count) => sum + count, 0);
  const tokens = `for T = ${rows}`;
  if (total === given.length) return [{ check: "outputs_written", detail: `${name} was not written at all ${tokens}` }];
  let last = first;
  while (last + 1 < rows && missing[last + 1] > 0) last++;
  const whole = missing.every((count) => count === 0 || count === stride);
  const span = first === last ? `row ${first}` : `rows ${first} to ${last}`;
  const others = missing.subarray(last + 1).filter((count) => count > 0).length;
  const more = others === 0 ? "" : ` and ${others} other${others === 1 ? "" : "s"}`;
  const verb = whole && first === last && others === 0 ? "was" : "were";
  const element = given.subarray(first * stride, (first + 1) * stride).findIndex((bits) => bits === poison);
  const detail = whole ? `${span}${more} of ${name} ${verb} not written ${tokens}` : `${total} elements in ${span}${more} of ${name} were not written ${tokens} (first: element ${element} of row ${first})`;
  return [{ check: "outputs_written", detail }];
}
var bands = /* @__PURE__ */ new Map();
function poisonBytes(layout, bytes) {
  const key = `${layout} ${bytes}`;
  const known = bands.get(key);
  if (known !== void 0) return known;
  const { width, value } = POISON[layout];
  const pattern = Uint8Array.from({ length: width }, (_, i) => value >>> 8 * i & 255);
  const made = Buffer.alloc(bytes, pattern);
  bands.set(key, made);
  return made;
}
function bytesOf(bits) {
  return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
}
function equal(a, b) {
  return Buffer.compare(a, b) === 0;
}
function roundUp(bytes, multiple) {
  return Math.ceil(bytes / multiple) * multiple;
}

// src/kernels/cuda/module.ts
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";

// src/kernels/cuda/nvrtc.ts
import { existsSync as existsSync2 } from "node:fs";
import { dirname, join } from "node:path";
var SUCCESS2 = 0;
var NAMES = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"];
var LOG_LINES = 10;
function bind2(library) {
  return {
    nvrtcVersion: library.func("int nvrtcVersion(void *major, void *minor)"),
    nvrtcGetErrorString: library.func("const char *nvrtcGetErrorString(int error)"),
    nvrtcGetNumSupportedArchs: library.func("int nvrtcGetNumSupportedArchs(void *count)"),
    nvrtcGetSupportedArchs: library.func("int nvrtcGetSupportedArchs(void *archs)"),
    nvrtcCreateProgram: library.func(
      "int nvrtcCreateProgram(void *program, const char *source, const char *name, int headers, void *contents, void *names)"
    ),
    nvrtcCompileProgram: library.func("int nvrtcCompileProgram(uint64_t program, int count, const char **options)"),
    nvrtcGetProgramLogSize: library.func("int nvrtcGetProgramLogSize(uint64_t program, void *bytes)"),
    nvrtcGetProgramLog: library.func("int nvrtcGetProgramLog(uint64_t program, void *log)"),
    nvrtcGetCUBINSize: library.func("int nvrtcGetCUBINSize(uint64_t program, void *bytes)"),
    nvrtcGetCUBIN: library.func("int nvrtcGetCUBIN(uint64_t program, void *cubin)"),
    nvrtcGetPTXSize: library.func("int nvrtcGetPTXSize(uint64_t program, void *bytes)"),
    nvrtcGetPTX: library.func("int nvrtcGetPTX(uint64_t program, void *ptx)"),
    nvrtcDestroyProgram: library.func("int nvrtcDestroyProgram(void *program)")
  };
}
async function compile(path, source, capability, env = process.env) {
  const { nvrtc, folder } = find(await loadKoffi(), env);
  const target = targetFor(nvrtc, capability);
  const options = [
    `--gpu-architecture=${target.option}`,
    "--std=c++17",
    `-I${dirname(path)}`,
    ...includeFolders(folder, env).map((include) => `-I${include}`)
  ];
  const program = new BigUint64Array(1);
  check(nvrtc, nvrtc.nvrtcCreateProgram(program, source, path, 0, null, null), "NVRTC took no source");
  const handle2 = program[0];
  try {
    const code = nvrtc.nvrtcCompileProgram(handle2, options.length, options);
    if (code !== SUCCESS2) {
      const log = Buffer.from(sized(nvrtc, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, handle2)).toString("utf8");
      throw new KernelError(
        `NVRTC ${version(nvrtc)} does not compile it for ${target.option}: ${logLines(log) || nvrtc.nvrtcGetErrorString(code)}`
      );
    }
    return target.cubin ? sized(nvrtc, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, handle2) : sized(nvrtc, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, handle2);
  } finally {
    nvrtc.nvrtcDestroyProgram(program);
  }
}
function logLines(log) {
  const lines = log.replace(/\0.*$/s, "").split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const more = lines.length > LOG_LINES ? " | ..." : "";
  return lines.slice(0, LOG_LINES).map((line) => printable(line.slice(0, 300))).join(" | ") + more;
}
function find(koffi, env) {
  const homes = [env["CUDA_HOME"], env["CUDA_PATH"]].filter((home) => home !== void 0 && home !== "");
  const folders = [...(env["LD_LIBRARY_PATH"] ?? "").split(":").filter((folder) => folder !== ""), ...libraryFolders(homes)];
  const candidates = [
    ...folders.flatMap((folder) => NAMES.map((name) => ({ folder, path: join(folder, name) }))).filter(({ path }) => existsSync2(path)),
    ...NAMES.map((name) => ({ folder: null, path: name })),
    ...libraryFolders(["/usr/local/cuda", "/opt/cuda"]).flatMap((folder) => NAMES.map((name) => ({ folder, path: join(folder, name) }))).filter(({ path }) => existsSync2(path))
  ];
  let reason = "";
  for (const { folder, path } of candidates) {
    try {
      return { nvrtc: bind2(koffi.load(path)), folder };
    } catch (error) {
      if (folder !== null) reason ||= ` (${printable(error.message.split("\n")[0] ?? "")})`;
    }
  }
  throw new KernelError(`NVRTC (libnvrtc.so) cannot be loaded${reason}: ship PTX, or install NVRTC (cuda-nvrtc)`);
}
function libraryFolders(homes) {
  return homes.flatMap((home) => [join(home, "lib64"), join(home, "lib")]);
}
function includeFolders(library, env) {
  const homes = [env["CUDA_HOME"], env["CUDA_PATH"], ...library === null ? [] : [join(library, "..")], "/usr/local/cuda", "/opt/cuda"];
  const found = homes.filter((home) => home !== void 0 && home !== "").map((home) => join(home, "include"));
  if (library !== null) found.push(join(library, "../../cuda_runtime/include"));
  return [...new Set(found)].filter((folder) => existsSync2(join(folder, "cuda_fp16.h")));
}
function targetFor(nvrtc, capability) {
  const count = new Int32Array(1);
  check(nvrtc, nvrtc.nvrtcGetNumSupportedArchs(count), "NVRTC names no architectures");
  const known = new Int32Array(Math.max(1, count[0]));
  check(nvrtc, nvrtc.nvrtcGetSupportedArchs(known), "NVRTC names no architectures");
  if (known.includes(capability)) return { option: `sm_${capability}`, cubin: true };
  const older = known.filter((arch) => arch > 0 && arch < capability);
  if (older.length > 0) return { option: `compute_${Math.max(...older)}`, cubin: false };
  throw new KernelError(
    `NVRTC ${version(nvrtc)} knows no architecture as old as the device's sm_${capability}: install an older cuda-nvrtc, or ship PTX`
  );
}
function version(nvrtc) {
  const [major, minor] = [new Int32Array(1), new Int32Array(1)];
  nvrtc.nvrtcVersion(major, minor);
  return `${major[0] ?? 0}.${minor[0] ?? 0}`;
}
function check(nvrtc, code, what) {
  if (code !== SUCCESS2) throw new KernelError(`${what} (${nvrtc.nvrtcGetErrorString(code)})`);
}
function sized(nvrtc, size, read, program) {
  const bytes = new BigUint64Array(1);
  check(nvrtc, size(program, bytes), "NVRTC gave nothing");
  const content = new Uint8Array(Math.max(1, Number(bytes[0])));
  check(nvrtc, read(program, content), "NVRTC gave nothing");
  return content;
}

// src/kernels/cuda/module.ts
var MAX_FILE_BYTES = 2 ** 28;
var KINDS = ["cubin", "fatbin", "ptx", "source"];
async function loadKernel(driver, manifest) {
  const refused = [];
  for (const kind of KINDS) {
    const path = manifest[kind];
    if (path === void 0) continue;
    const file = quote(basename(path));
    try {
      const content = await readWhole(path);
      const image = kind === "source" ? await compile(path, content.toString("utf8"), driver.device.capability) : content;
      const module = driver.loadModule(image);
      return { module, entry: (dtype) => entry(driver, module, manifest, dtype, file) };
    } catch (error) {
      if (error instanceof CudaError) refused.push(`${file}: ${explain(error, kind, path, driver.device, await head(path))}`);
      else if (error instanceof KernelError && error.name === "KernelError") refused.push(`${file}: ${error.message}`);
      else throw error;
    }
  }
  throw new KernelError(refused.join("; "));
}
async function readWhole(path) {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new KernelError(`it has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError(`it cannot be read (${error.code ?? "unknown error"})`);
  }
}
async function head(path) {
  return (await readFile(path)).subarray(0, 65536).toString("latin1");
}
function explain({ code, message, log }, kind, path, device, text) {
  const said = logLines(log);
  const told = said === "" ? message : `${message}; the driver's compiler says: ${said}`;
  const own = `sm_${device.capability}`;
  if (kind === "ptx") {
    const target = Number(/^\s*\.target\s+sm_(\d+)/m.exec(text)?.[1]);
    if (target > device.capability)
      return `made for sm_${target}, newer than the device's ${own}: compile with -arch=compute_${device.capability} or lower (${told})`;
    const version2 = /^\s*\.version\s+(\d+\.\d+)/m.exec(text)?.[1] ?? "its";
    if (code === UNSUPPORTED_PTX_VERSION)
      return `PTX version ${version2} is newer than the driver (CUDA ${device.driver}) knows: update the driver, or compile with CUDA ${device.driver} or older (${told})`;
    if (code === JIT_COMPILER_NOT_FOUND) return `the driver comes without its PTX compiler: ship a cubin for ${own} (${told})`;
    if (code === INVALID_PTX || code === INVALID_IMAGE || code === INVALID_SOURCE)
      return `the driver does not take it as PTX; compile it with nvcc -ptx (${told})`;
  }
  if (code === NO_BINARY_FOR_GPU) return `it has no code for ${own}: compile for ${own}, or ship PTX (${told})`;
  if (code === INVALID_IMAGE || code === INVALID_SOURCE) return `${quote(basename(path))} is no CUDA ${kind} (${told})`;
  return told;
}
function entry(driver, module, manifest, dtype, file) {
  const name = typeof manifest.entry === "string" ? manifest.entry : manifest.entry[dtype];
  if (name === void 0) throw new KernelError(`entry has none for dtype ${dtype}`);
  try {
    return driver.functionOf(module, name);
  } catch (error) {
    if (!(error instanceof CudaError) || error.code !== NOT_FOUND) throw error;
    throw new KernelError(`${file} has no function ${name} (${error.message}); declare it as extern "C" __global__`);
  }
}

// src/kernels/cuda.ts
var WARM_UPS = 3;
var BUSY_WAIT_MS = 20;
var SHARED_BYTES_DEFAULT = 48 * 1024;
var L2_CACHES = 4;
async function cudaKernel(manifest) {
  const driver = await openDriver();
  const open2 = { koffi: await loadKoffi(), driver, memory: gpuMemory(driver), loaded: await loadKernel(driver, manifest) };
  for (const dtype of manifest.dtypes) open2.loaded.entry(dtype);
  const { name, capability, driver: version2, count } = driver.device;
  const others = count === 1 ? "" : `, device 0 of ${count}`;
  return {
    name: manifest.name,
    op: manifest.op,
    backend: "cuda",
    start: () => Promise.resolve({
      device: `${name} (sm_${capability}, driver CUDA ${version2}${others})`,
      gpu: true,
      variants: ["fused"],
      observes: ["inputs_unchanged", "guard_bands", "outputs_written"]
    }),
    run: (call) => answer(open2, manifest, call),
    close() {
      open2.memory.close();
      driver.unloadModule(open2.loaded.module);
      driver.close();
      return Promise.resolve();
    }
  };
}
async function answer(open2, manifest, call) {
  if (call.variant !== "fused") throw new KernelError("backend cuda has no variant standard");
  const { driver, memory, loaded } = open2;
  refuseLeftOut(manifest, call);
  const kernel2 = loaded.entry(call.dtype);
  const sizes = launchSizes(manifest.op, call);
  const shape = launchShape(manifest, sizes, driver.device, kernel2);
  const tensors = [];
  try {
    place(memory, manifest.op, call, tensors);
    const addressOf = (name) => tensors.find((tensor) => tensor.name === name)?.address;
    const args = packArguments(launchArguments(manifest, call.attributes, sizes, addressOf));
    if (shape.sharedBytes + kernel2.staticShared > SHARED_BYTES_DEFAULT) driver.allowShared(kernel2, shape.sharedBytes);
    const launch = launcher(open2, kernel2, shape, args, manifest.args.length);
    launch();
    await finished(driver);
    const { outputs, violations } = collect(memory, manifest.op, tensors);
    const time_us = call.repeat > 1 ? await timed(open2, launch, call.repeat) : null;
    return { outputs, time_us, violations };
  } finally {
    for (const { allocation } of tensors) memory.release(allocation);
  }
}
function refuseLeftOut({ op, args }, { inputs }) {
  const left = contractInputs(op).find(({ name, optional }) => optional && inputs[name] !== void 0 && !args.includes(name));
  if (left !== void 0)
    throw new KernelError(
      `the model has ${left.name} here, which args does not name; take it as a pointer that is null where there is none`
    );
}
function place(memory, op, { inputs, attributes, dtype }, into) {
  const shapes = outputShapes(op, inputs, attributes);
  for (const { name, role, tensor } of namedTensors(op)) {
    const declared = (role === "input" ? contractInputs(op) : contractOutputs(op)).find((each) => each.name === tensor);
    const layout = layoutOf(declared?.dtype ?? "serving", dtype);
    const given = inputs[tensor];
    if (role === "input") {
      if (given !== void 0) into.push(memory.input(name, given, layout));
      continue;
    }
    const shape = shapes[tensor]?.map((size) => {
      if (size === null) throw new KernelError(`the shape of output ${tensor} of ${op} is only known to the kernel; use backend command`);
      return size;
    });
    into.push(memory.output(name, shape ?? [], layout));
  }
}
function launcher({ koffi, driver }, kernel2, shape, args, count) {
  const params = slotAddresses(koffi.address(args), count);
  return () => {
    driver.launch(kernel2, shape, params);
    if (args.length === 0) throw new KernelError("no arguments");
  };
}
async function finished(driver) {
  const start = performance.now();
  while (!driver.idle()) if (performance.now() - start > BUSY_WAIT_MS) await sleep(1);
}
function collect(memory, op, tensors) {
  const outputs = {};
  const violations = [];
  const contractNames = new Map(namedTensors(op).map(({ name, tensor }) => [name, tensor]));
  for (const tensor of tensors) {
    violations.push(...memory.guardViolations(tensor), ...memory.inputViolations(tensor));
    if (tensor.role === "input") continue;
    const bits = memory.read(tensor);
    const name = contractNames.get(tensor.name) ?? tensor.name;
    violations.push(...unwritten(name, bits, tensor.layout, tensor.shape));
    outputs[name] = valuesOf(bits, tensor.layout, tensor.shape);
  }
  return { outputs, violations };
}
async function timed({ driver, memory }, launch, repeat) {
  const cache = memory.scratch(Math.max(2 ** 20, L2_CACHES * driver.device.limits.l2_bytes));
  const [start, end] = [driver.createEvent(), driver.createEvent()];
  try {
    for (let i = 0; i < WARM_UPS; i++) launch();
    await finished(driver);
    const times = [];
    for (let i = 0; i < repeat; i++) {
      driver.fill(cache.address, 4, 0, cache.bytes / 4);
      driver.recordEvent(start);
      launch();
      driver.recordEvent(end);
      await finished(driver);
      times.push(driver.elapsed(start, end));
    }
    times.sort((a, b) => a - b);
    return times[times.length >> 1];
  } finally {
    driver.destroyEvent(start);
    driver.destroyEvent(end);
    memory.release(cache);
  }
}

// src/host.ts
var kernel;
async function open(manifest, provider) {
  if (manifest.backend === "cuda") return cudaKernel(manifest);
  if (manifest.backend === "onnxruntime") return onnxruntimeKernel(await loadOnnxRuntime(), onnxruntimeVersion(), manifest, provider);
  throw new KernelError(`backend ${manifest.backend} has processes of its own`);
}
async function answer2(question) {
  const { id } = question;
  try {
    if (question.kind === "start") {
      kernel = await open(question.kernel, question.execution_provider);
      return { kind: "started", id, device: await kernel.start() };
    }
    if (kernel === void 0) throw new KernelError("no kernel was started");
    return { kind: "answer", id, answer: await kernel.run(question.call) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "failed", id, message, usable: error instanceof KernelError && !(error instanceof DeviceLost) };
  }
}
if (process.send === void 0) throw new Error("host.js is started by the other doors, not by hand");
process.on("message", (question) => void answer2(question).then((said) => process.send?.(said)));
process.on("disconnect", () => process.exit(0));

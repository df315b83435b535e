import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  hubAccess,
  openModel
} from "./chunk-CPVUZLU5.js";
import {
  applyAllowances,
  decide,
  gate
} from "./chunk-Y3P3YQTX.js";
import {
  loadManifests
} from "./chunk-QZM43P7H.js";
import {
  compareWithBaseline,
  readBaseline
} from "./chunk-X7YHTLTZ.js";
import "./chunk-S665G4ZQ.js";
import {
  lanes
} from "./chunk-Y2OHPJCQ.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-JUYFWEVH.js";
import {
  package_default
} from "./chunk-LCLR2ZV5.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import {
  DTYPE_BITS,
  HEADER_LIMIT,
  MAX_NEW_TOKENS,
  PREFIX_BYTES,
  buildProgram,
  checkPrompt,
  checkWeights,
  dequantize,
  filesInOrder,
  isRunnable,
  modelType,
  openCheckpoint,
  prune,
  readSafetensors,
  refuseUnlessRunnable,
  tensorBytes
} from "./chunk-JRBNYZKX.js";
import {
  openFolder,
  readModelConfig
} from "./chunk-D6SERIA7.js";
import {
  SHIPPED_KERNELS,
  unfusedName
} from "./chunk-CPDI2S7W.js";
import "./chunk-JLC4LN5G.js";
import {
  KernelError,
  checkOutputs,
  decodeNarrow,
  roundToBfloat16,
  roundToFloat16,
  statisticsOf,
  toFloat32,
  toFloat64
} from "./chunk-S2ZBP3JJ.js";
import {
  CONTRACTS,
  contractInputs,
  contractOutputs,
  outputShapes
} from "./chunk-OWGKBW5B.js";
import {
  printable,
  quote
} from "./chunk-NAEFPM7V.js";
import {
  onnxruntimeVersion
} from "./chunk-CKWNN2OS.js";
import "./chunk-AHTNRT6P.js";
import {
  ModelError,
  UsageError,
  fromPlainError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import "./chunk-SO7XHSHO.js";
import "./chunk-H45APEIH.js";

// src/gate.ts
import { existsSync as existsSync2 } from "node:fs";
import { availableParallelism as availableParallelism2, cpus } from "node:os";
import { fileURLToPath as fileURLToPath2 } from "node:url";
init_errors();

// src/kernels/processes.ts
import { mkdtempSync as mkdtempSync2, rmSync as rmSync2 } from "node:fs";
import { tmpdir } from "node:os";
import { join as join5 } from "node:path";

// src/kernels/command.ts
import { mkdtempSync, rmSync } from "node:fs";
import { rm as rm2 } from "node:fs/promises";
import { basename as basename2, join as join3 } from "node:path";

// src/kernels/environment.ts
var HIDDEN = /^(?:INPUT_.*|GITHUB_TOKEN|GH_TOKEN|HF_TOKEN|HUGGING_?FACE_HUB_TOKEN|ACTIONS_RUNTIME_TOKEN|ACTIONS_ID_TOKEN_.*|GITHUB_(?:ENV|OUTPUT|PATH|STATE|STEP_SUMMARY))$/i;
function kernelEnvironment(own, added = {}) {
  const environment = {};
  for (const [name, value] of Object.entries(own)) if (value !== void 0 && !HIDDEN.test(name)) environment[name] = value;
  return { ...environment, ...added };
}

// src/kernels/lines.ts
var NEWLINE = 10;
function splitLines(limit, onLine, onTooLong) {
  let pieces = [];
  let length = 0;
  let dropping = false;
  const take = (piece, whole) => {
    if (!dropping) {
      pieces.push(piece);
      length += piece.byteLength;
    }
    if (!dropping && length > limit) {
      dropping = true;
      const start = Buffer.concat(pieces).subarray(0, limit).toString("utf8");
      pieces = [];
      onTooLong(start);
    }
    if (!whole) return;
    const line = dropping ? null : Buffer.concat(pieces).toString("utf8");
    pieces = [];
    length = 0;
    dropping = false;
    if (line !== null) onLine(line);
  };
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end), true);
      start = end + 1;
    }
    if (start < chunk.byteLength) take(chunk.subarray(start), false);
  };
}
var TAIL_BYTES = 4096;
var LAST_LINES = 3;
var LOGGED_LINES = 200;
var LOGGED_LINE_BYTES = 1024;
function listen(log) {
  let tail = Buffer.alloc(0);
  let logged = 0;
  const write = (line) => {
    if (line.trim() === "" || logged > LOGGED_LINES) return;
    logged += 1;
    log(logged > LOGGED_LINES ? `what it printed after ${LOGGED_LINES} lines is not shown` : printable(line.trimEnd()));
  };
  const split = splitLines(LOGGED_LINE_BYTES, write, write);
  return {
    push(chunk) {
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
      if (logged <= LOGGED_LINES) split(chunk);
    },
    last() {
      const words = oneLine(tail.toString("utf8"));
      return words === "" ? "" : `; its last words: ${words}`;
    }
  };
}
function oneLine(text2) {
  const lines = text2.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return lines.slice(-LAST_LINES).map((line) => printable(line.trim())).join(" | ");
}

// src/kernels/process-group.ts
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
var MAX_ROUNDS = 1e3;
var MARKER = "FUSED_COMPAT_KERNEL";
function startGroup([program, ...args], { cwd, env }) {
  const mark = randomBytes(16).toString("hex");
  const child = spawn(program, args, {
    cwd,
    env: { ...env, [MARKER]: mark },
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: true
  });
  let leads = child.pid !== void 0;
  const left = /* @__PURE__ */ new Set();
  const signal = (name) => {
    const signalled = /* @__PURE__ */ new Set();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = marked(mark).filter((pid) => !signalled.has(pid));
      if (leads) signalGroup(child, name);
      if (found.length === 0) break;
      for (const pid of found) {
        signalled.add(pid);
        send(pid, name);
      }
      if (name === "SIGTERM") break;
    }
    if (name === "SIGKILL") {
      for (const pid of signalled) if (pid !== child.pid) left.add(pid);
    }
  };
  child.on("exit", () => {
    signal("SIGKILL");
    leads = false;
  });
  return {
    child,
    terminate: () => signal("SIGTERM"),
    kill() {
      signal("SIGKILL");
      return left.size;
    }
  };
}
function signalGroup(child, name) {
  if (process.platform === "win32") child.kill(name);
  else if (child.pid !== void 0) send(-child.pid, name);
}
function send(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
  }
}
function marked(mark) {
  if (process.platform !== "linux") return [];
  const entry = Buffer.from(`${MARKER}=${mark}\0`);
  const children = /* @__PURE__ */ new Map();
  const found = /* @__PURE__ */ new Set();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(pid);
    children.set(parent, [...children.get(parent) ?? [], Number(pid)]);
    if (read(pid, "environ").includes(entry)) found.add(Number(pid));
  }
  for (const parent of found) for (const pid of children.get(parent) ?? []) found.add(pid);
  return [...found];
}
function parentOf(pid) {
  const stat = read(pid, "stat").toString("latin1");
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" ? 0 : Number(parent ?? 0);
}
function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return Buffer.alloc(0);
  }
}

// src/kernels/protocol.ts
var CHECKS = ["inputs_unchanged", "guard_bands", "outputs_written"];
var VARIANTS = ["fused", "standard"];
var MAX_VIOLATIONS = 64;
function readAnswer(line) {
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    throw new KernelError(`printed a line that is not JSON: ${shown(line)}`);
  }
  if (!isObject(message)) throw new KernelError(`printed JSON that is no object: ${shown(line)}`);
  switch (message["type"]) {
    case "ready":
      return readReady(message);
    case "result":
      return readResult(message);
    case "error":
      return readRefusal(message);
    default:
      throw new KernelError(`sent a message whose type is not ready, result or error: ${shown(line)}`);
  }
}
function readReady(message) {
  const { name, ops, variants, device } = message;
  if (typeof name !== "string" || name === "") throw wrong("ready", "name", "a text", name);
  if (!isTexts(ops)) throw wrong("ready", "ops", "a list of op names", ops);
  if (!isTexts(variants) || !variants.every(isVariant) || !variants.includes("fused")) {
    throw wrong("ready", "variants", 'a list with "fused", and "standard" where there is an unfused path', variants);
  }
  if (typeof device !== "string" || device.trim() === "") throw wrong("ready", "device", "the name of a device", device);
  const gpu = !/^cpu/i.test(device.trim());
  return { type: "ready", ops, device: { device: printable(device.trim()), gpu, variants } };
}
function readResult(message) {
  const { id, time_us = null, violations = [] } = message;
  if (!isId(id)) throw wrong("result", "id", "the call's number", id);
  if (time_us !== null && !(typeof time_us === "number" && Number.isFinite(time_us) && time_us >= 0)) {
    throw wrong("result", "time_us", "a number of microseconds", time_us);
  }
  if (!Array.isArray(violations) || violations.length > MAX_VIOLATIONS || !violations.every(isViolation)) {
    throw wrong("result", "violations", `at most ${MAX_VIOLATIONS} objects with check (${CHECKS.join(", ")}) and detail`, violations);
  }
  return { type: "result", id, time_us, violations: violations.map(({ check: check2, detail }) => ({ check: check2, detail: printable(detail) })) };
}
function readRefusal(message) {
  const { id = null, message: text2 } = message;
  if (id !== null && !isId(id)) throw wrong("error", "id", "the call's number", id);
  if (typeof text2 !== "string") throw wrong("error", "message", "a text", text2);
  return { type: "error", id, message: oneLine(text2) };
}
function wrong(type, field, wanted, found) {
  const is = found === void 0 ? "is missing" : `is ${printable(JSON.stringify(found))}`;
  return new KernelError(`sent ${type} whose ${field} ${is}; it must be ${wanted}`);
}
function shown(line) {
  return quote(line.trim());
}
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isTexts(value) {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
function isVariant(value) {
  return VARIANTS.some((variant) => variant === value);
}
function isId(value) {
  return Number.isSafeInteger(value);
}
function isViolation(value) {
  return isObject(value) && CHECKS.some((check2) => check2 === value["check"]) && typeof value["detail"] === "string";
}

// src/kernels/tensor-files.ts
init_errors();
import { constants } from "node:fs";
import { lstat, open as open2, readdir } from "node:fs/promises";
import { join as join2 } from "node:path";

// src/weights/write-safetensors.ts
init_errors();
import { randomBytes as randomBytes2 } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
var PIECE_BYTES = 64 * 1024 * 1024;
async function writeSafetensors(path, tensors) {
  const write = prepare(tensors);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes2(6).toString("hex")}.tmp`);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => void 0);
    throw new UsageError(`Cannot write ${printable(path)}: ${reason(error)}.`);
  }
}
async function writePassingSafetensors(path, tensors) {
  const write = prepare(tensors);
  const handle = await open(path, "wx");
  try {
    await write(handle);
  } finally {
    await handle.close();
  }
}
function prepare(tensors) {
  const ordered = [...tensors].sort((a, b) => DTYPE_BITS[b.dtype] - DTYPE_BITS[a.dtype]);
  const header = encodeHeader(ordered);
  return async (handle) => {
    await writeAll(handle, header);
    for (const { data } of ordered) await writeAll(handle, data);
  };
}
function encodeHeader(tensors) {
  const members = [];
  const names = /* @__PURE__ */ new Set(["__metadata__"]);
  let begin = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new RangeError(`tensor name ${quote(name)} is taken`);
    names.add(name);
    const byteLength = tensorBytes(dtype, shape);
    if (byteLength !== data.byteLength) {
      throw new RangeError(`tensor ${quote(name)}: ${dtype} [${shape.join(",")}] needs ${byteLength} bytes, got ${data.byteLength}`);
    }
    const end = begin + byteLength;
    members.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${begin},${end}]}`);
    begin = end;
  }
  const text2 = Buffer.from(`{${members.join(",")}}`);
  const length = Math.ceil(text2.byteLength / 8) * 8;
  if (length > HEADER_LIMIT) throw new RangeError(`a header of ${length} bytes is over the format's limit of ${HEADER_LIMIT}`);
  const header = Buffer.alloc(PREFIX_BYTES + length, " ");
  header.writeBigUInt64LE(BigInt(length));
  text2.copy(header, PREFIX_BYTES);
  return header;
}
async function writeAll(handle, bytes) {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(PIECE_BYTES, bytes.byteLength - done));
    done += bytesWritten;
  }
}
function reason(error) {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "the folder does not exist";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `no permission (${code})`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code})`;
    default:
      return code === "" ? printable(String(error)) : code;
  }
}

// src/kernels/tensor-files.ts
var STORED = { bfloat16: "BF16", float16: "F16", float32: "F32" };
var SPARE_BYTES = 16 * 2 ** 20;
var UNKNOWN_LENGTH = 2 ** 20;
var WATCH_MS = 100;
var PIECE_BYTES2 = 64 * 2 ** 20;
async function writeInputs(path, op, { inputs, dtype }) {
  const float32 = new Set(contractInputs(op).flatMap((tensor) => tensor.dtype === "float32" ? [tensor.name] : []));
  const storedAs = (name) => float32.has(name) ? "F32" : STORED[dtype];
  const tensors = Object.entries(inputs).map(([name, tensor]) => ({ name, shape: tensor.shape, ...stored(tensor, storedAs(name)) }));
  try {
    await writePassingSafetensors(path, tensors);
  } catch (error) {
    throw new KernelError(`its inputs could not be written: ${printable(error instanceof Error ? error.message : String(error))}`);
  }
}
function stored({ data }, dtype) {
  if (data instanceof Int32Array) return { dtype: "I64", data: bytesOf(BigInt64Array.from(data, BigInt)) };
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype === "F32") return { dtype, data: bytesOf(values) };
  return { dtype, data: bytesOf(dtype === "BF16" ? roundToBfloat16(values) : roundToFloat16(values)) };
}
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
function outputLimit(op, { inputs, attributes }) {
  const size = (shape) => shape.reduce((product, length) => product * (length ?? UNKNOWN_LENGTH), 8);
  const shapes = [...Object.values(outputShapes(op, inputs, attributes)), ...Object.values(inputs).map(({ shape }) => shape)];
  return shapes.reduce((sum, shape) => sum + size(shape), SPARE_BYTES);
}
async function readOutputs(path, op, call, limit) {
  const bytes = await readRegular(path, limit);
  try {
    const file = await readSafetensors(inMemory(bytes));
    const outputs = {};
    for (const { name, dtype } of contractOutputs(op)) {
      const tensor = file.tensors.get(name);
      if (tensor === void 0) continue;
      const wanted = dtype === "int64" ? "I64" : dtype === "float32" ? "F32" : STORED[call.dtype];
      if (tensor.dtype !== wanted) throw new KernelError(`output ${name} has dtype ${tensor.dtype}; it must be ${wanted}`);
      const data = await file.read(tensor, 0, tensorBytes(tensor.dtype, tensor.shape));
      outputs[name] = { shape: tensor.shape, data: wanted === "I64" ? idsOf(data) : toFloat32(data, wanted) };
    }
    return checkOutputs(op, call.inputs, call.attributes, outputs);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new KernelError(`its outputs cannot be read: ${error.message.replace(/ (?:Download|The (?:file|header) is) [^.]*\.$/, "")}`);
  }
}
function idsOf(bytes) {
  const copy = bytes.slice();
  return Float64Array.from(new BigInt64Array(copy.buffer), Number);
}
async function readRegular(path, limit) {
  const handle = await open2(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) => {
    const code = error.code ?? "unknown error";
    throw new KernelError(code === "ENOENT" ? "it wrote no outputs file" : `its outputs file cannot be opened (${code})`);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new KernelError("what it wrote as outputs is no file");
    if (stats.size > limit) throw tooLarge(stats.size, limit);
    const bytes = new Uint8Array(stats.size);
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(PIECE_BYTES2, bytes.byteLength - done), done);
      if (bytesRead === 0) throw new KernelError("its outputs file became shorter while it was read");
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
function inMemory(bytes) {
  return {
    name: "outputs",
    byteLength: bytes.byteLength,
    slice: (start, end) => Promise.resolve(bytes.subarray(start, end)),
    close: () => Promise.resolve()
  };
}
function tooLarge(bytes, limit) {
  return new KernelError(`it wrote ${bytes.toLocaleString("en-US")} bytes; this call's outputs may have ${limit.toLocaleString("en-US")}`);
}
function watchFolder(folder, inputs, limit, onTooLarge) {
  let looking = false;
  const look = async () => {
    const names = (await readdir(folder)).filter((name) => name !== inputs);
    const sizes = await Promise.all(names.map((name) => lstat(join2(folder, name)).then(({ size }) => size)));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total > limit) onTooLarge(tooLarge(total, limit));
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().catch(() => void 0).finally(() => looking = false);
  }, WATCH_MS);
  return () => clearInterval(timer);
}

// src/kernels/command.ts
var MAX_LINE_BYTES = 2 ** 20;
var CLOSE_MS = 5e3;
var TERMINATE_MS = 1e3;
var LAST_WORDS_MS = 250;
var STUCK_MS = 2e3;
async function commandProcess(manifest, options) {
  const { name, op, timeout_s } = manifest;
  const folder = mkdtempSync(join3(options.folder, `${name}-`));
  const group = startGroup(manifest.command, { cwd: manifest.cwd, env: kernelEnvironment(process.env, manifest.env) });
  options.onSpawn(() => void group.kill());
  const log = (line) => options.log(`kernel ${name}: ${line}`);
  const talk = converse(group, manifest.command[0], log);
  let usable = true;
  const give = async (work) => {
    try {
      return await work();
    } catch (error) {
      if (talk.broken()) usable = false;
      throw error;
    }
  };
  const end = async () => {
    group.kill();
    await rm2(folder, { recursive: true, force: true });
  };
  try {
    const device = await give(() => greet(talk, op, options.dtype, timeout_s));
    let next = 1;
    return {
      device,
      get usable() {
        return usable;
      },
      call: (call) => give(() => oneCall(talk, { folder, op, timeout_s, id: next++ }, device, call)),
      async close() {
        if (usable && talk.broken()) log((await talk.ended()).message);
        await finish(group, talk, log);
        await end();
      },
      kill() {
        group.kill();
        rmSync(folder, { recursive: true, force: true });
      }
    };
  } catch (error) {
    await end();
    throw error;
  }
}
async function greet(talk, op, dtype, timeoutS) {
  const answer = await talk.ask({ type: "hello", protocol: 1, dtype }, null, timeoutS);
  if (answer.type === "error") throw await talk.fail(`it does not start: ${answer.message}`);
  if (answer.type !== "ready") throw await talk.fail(`it answered hello with ${answer.type}, not with ready`);
  if (!answer.ops.includes(op)) {
    const offered = printable(answer.ops.join(", "));
    throw await talk.fail(`it does not offer ${op}, the op of its kernel.json; its ops are: ${offered === "" ? "none" : offered}`);
  }
  return answer.device;
}
async function oneCall(talk, { folder, op, timeout_s, id }, device, call) {
  if (!device.variants.includes(call.variant)) throw new KernelError(`it has no variant ${call.variant}`);
  if (talk.broken()) throw await talk.ended();
  const inputs = join3(folder, `${id}.in.safetensors`);
  const outputs = join3(folder, `${id}.out.safetensors`);
  const limit = outputLimit(op, call);
  let unwatch;
  try {
    await writeInputs(inputs, op, call);
    unwatch = watchFolder(folder, basename2(inputs), limit, (error) => void talk.fail(error.message));
    const { variant, attributes, repeat } = call;
    const answer = await talk.ask({ type: "call", id, op, variant, attributes, inputs, outputs, repeat }, id, timeout_s);
    if (answer.type === "error")
      throw new KernelError(answer.message === "" ? "it answered with an error, and no message" : answer.message);
    const read2 = await readOutputs(outputs, op, call, limit).catch(async (error) => {
      throw error instanceof KernelError ? await talk.fail(error.message) : error;
    });
    const { time_us, violations } = answer;
    return { outputs: read2, time_us, violations };
  } finally {
    unwatch?.();
    await Promise.all([rm2(inputs, { force: true }), rm2(outputs, { force: true, recursive: true })]);
  }
}
async function finish({ child, terminate, kill }, talk, log) {
  if (talk.broken()) return;
  talk.dismiss();
  child.stdin.end();
  if (!await within(talk.ended(), CLOSE_MS)) {
    log(`still ran ${CLOSE_MS / 1e3} s after its stdin was closed; it was ended`);
    terminate();
    await within(talk.ended(), TERMINATE_MS);
    kill();
    return;
  }
  const left = kill();
  if (left > 0) log(`left ${left} ${left === 1 ? "process" : "processes"} behind; ended`);
}
async function within(what, ms) {
  let timer;
  const late = new Promise((resolve) => timer = setTimeout(() => resolve(false), ms));
  const done = await Promise.race([what.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
function converse(group, program, log) {
  const { child } = group;
  const words = listen(log);
  let fault = null;
  let dismissed = false;
  let waiting = null;
  let ready = false;
  let asked = 0;
  let over;
  const ended = new Promise((resolve) => over = resolve);
  const fail = (why) => {
    if (!dismissed) fault ??= why;
    group.kill();
    setTimeout(() => over(new KernelError(why + words.last())), STUCK_MS).unref();
    return ended;
  };
  const hear = (line) => {
    if (dismissed || fault !== null || line.trim() === "") return;
    let answer;
    try {
      answer = readAnswer(line);
    } catch (error) {
      void fail(`${ready ? "" : "before it was ready "}it ${error.message}; stdout is for the protocol, print to stderr`);
      return;
    }
    const id = answer.type === "ready" ? null : answer.id;
    if (waiting?.id === id) {
      ready = true;
      waiting.resolve(answer);
      waiting = null;
    } else if (id !== null && id >= 1 && id <= asked) void fail(`it answered call ${id} twice`);
    else if (id !== null) void fail(`it answered call ${id}, which was not asked`);
    else void fail(`it sent a message that belongs nowhere: ${shown(line)}`);
  };
  child.stdout.on(
    "data",
    splitLines(MAX_LINE_BYTES, hear, (start) => void fail(`it printed a line of more than ${MAX_LINE_BYTES} bytes: ${shown(start)}`))
  );
  child.stderr.on("data", words.push);
  child.stdin.on("error", () => void 0);
  child.on("error", (error) => {
    fault ??= `it could not be started: ${startProblem(error, program)}`;
    over(new KernelError(fault));
  });
  const closed = new Promise((resolve) => child.on("close", () => resolve()));
  child.on("exit", (code, signal) => {
    void within(closed, LAST_WORDS_MS).then(() => {
      fault ??= signal === null ? `its process ended with exit code ${String(code)}` : `its process was ended by ${signal}`;
      over(new KernelError(fault + words.last()));
    });
  });
  return {
    async ask(message, id, timeoutS) {
      if (fault !== null) throw await ended;
      const answer = new Promise((resolve) => waiting = { id, resolve });
      if (id !== null) asked = id;
      child.stdin.write(`${JSON.stringify(message)}
`);
      const what = id === null ? "it was not ready" : "it gave no answer";
      const timer = setTimeout(() => void fail(`${what} within ${timeoutS} s (timeout_s of its kernel.json)`), timeoutS * 1e3);
      try {
        const first = await Promise.race([answer, ended]);
        if (first instanceof KernelError) throw first;
        return first;
      } finally {
        clearTimeout(timer);
        waiting = null;
      }
    },
    fail,
    broken: () => fault !== null,
    ended: () => ended,
    dismiss: () => dismissed = true
  };
}
function startProblem({ code, message }, program) {
  if (code === "ENOENT") return `the program ${quote(program)} was not found; is it installed on this machine?`;
  if (code === "EACCES") return `${quote(program)} may not be executed (EACCES)`;
  return printable(message);
}

// src/kernels/hosted.ts
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
var TIMEOUTS_MS = { start: 12e4, call: 12e4 };
var LAST_WORDS_MS2 = 50;
var STDERR_TAIL = 2e3;
async function hostedProcess(kernel, options, timeouts = TIMEOUTS_MS) {
  const child = fork(fileURLToPath(options.host), [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [],
    env: kernelEnvironment(process.env)
  });
  const kill = () => child.kill("SIGKILL");
  options.onSpawn(kill);
  const conversation = converse2(child);
  const { dtype, execution_provider } = options;
  let usable = true;
  const nonsense = () => {
    usable = false;
    kill();
    return new KernelError(NONSENSE);
  };
  const ask = async (question, timeoutMs) => {
    const answer = await conversation.ask(question, timeoutMs).catch((error) => {
      usable = false;
      kill();
      throw error;
    });
    if (answer.kind !== "failed") return answer;
    if (!answer.usable) {
      usable = false;
      kill();
    }
    throw new KernelError(answer.message);
  };
  try {
    const started = await ask({ kind: "start", id: 0, kernel, dtype, execution_provider }, timeouts.start);
    if (started.kind !== "started") throw nonsense();
    let next = 1;
    return {
      device: started.device,
      get usable() {
        return usable && !conversation.over();
      },
      async call(call) {
        const answer = await ask({ kind: "call", id: next++, call }, timeouts.call);
        if (answer.kind !== "answer") throw nonsense();
        return { ...answer.answer, outputs: checkOutputs(kernel.op, call.inputs, call.attributes, answer.answer.outputs) };
      },
      // The host ends by itself when the channel closes; a driver that hangs does not.
      close: () => conversation.end(),
      kill
    };
  } catch (error) {
    kill();
    throw error;
  }
}
var NONSENSE = "the kernel's process gave an answer that makes no sense and was ended; its memory may be damaged";
function readAnswer2(message) {
  if (!isRecord(message) || typeof message["id"] !== "number") return null;
  const { kind, device, answer, message: words, usable } = message;
  const sound = kind === "started" && isRecord(device) && typeof device["device"] === "string" && Array.isArray(device["variants"]) || kind === "failed" && typeof words === "string" && typeof usable === "boolean" || kind === "answer" && isRecord(answer) && isAnswer(answer);
  return sound ? message : null;
}
function isAnswer({ outputs, time_us, violations }) {
  const timed = time_us === null || typeof time_us === "number" && time_us >= 0;
  return timed && Array.isArray(violations) && isRecord(outputs) && Object.values(outputs).every(isArray);
}
function isArray(value) {
  if (!isRecord(value) || !Array.isArray(value["shape"])) return false;
  const { data, shape } = value;
  const size = shape.reduce((product, length) => product * (typeof length === "number" ? length : NaN), 1);
  return (data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array) && data.length === size;
}
function isRecord(value) {
  return typeof value === "object" && value !== null;
}
function converse2(child) {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text2) => tail = (tail + text2).slice(-STDERR_TAIL));
  const waiting = /* @__PURE__ */ new Map();
  let ended = null;
  const gone = new Promise((resolve) => {
    child.on("exit", (code, signal) => {
      setTimeout(() => {
        const how = signal === null ? `ended with exit code ${String(code)}` : `was ended by ${signal}`;
        const last = printable(tail.trim().split("\n").slice(-3).join(" | "));
        ended ??= new KernelError(`the kernel's process ${how}${last === "" ? "" : `; its last words: ${last}`}`);
        for (const { reject } of waiting.values()) reject(ended);
        waiting.clear();
        resolve();
      }, LAST_WORDS_MS2);
    });
  });
  child.on("error", (error) => {
    ended = new KernelError(`the kernel's process could not be started: ${printable(error.message)}`);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  });
  child.on("message", (message) => {
    const answer = readAnswer2(message);
    const asked = answer === null ? void 0 : waiting.get(answer.id);
    if (answer !== null && asked !== void 0) {
      waiting.delete(answer.id);
      asked.resolve(answer);
      return;
    }
    ended ??= new KernelError(NONSENSE);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    child.kill("SIGKILL");
  });
  return {
    /** Also a process that answered everything may die between two models. */
    over: () => ended !== null,
    ask: (question, timeoutMs) => new Promise((resolve, reject) => {
      if (ended !== null) {
        reject(ended);
        return;
      }
      const timer = setTimeout(() => {
        waiting.delete(question.id);
        reject(new KernelError(`no answer within ${timeoutMs / 1e3} s; the kernel was ended`));
      }, timeoutMs);
      const settled2 = (then) => (value) => {
        clearTimeout(timer);
        then(value);
      };
      waiting.set(question.id, { resolve: settled2(resolve), reject: settled2(reject) });
      child.send(question, (error) => {
        if (error !== null && ended === null) waiting.get(question.id)?.reject(new KernelError("the kernel's process is gone"));
      });
    }),
    async end() {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill("SIGKILL"), 5e3);
      if (child.exitCode === null && child.signalCode === null) await gone;
      clearTimeout(timer);
    }
  };
}

// src/kernels/provider.ts
import { existsSync, readdirSync as readdirSync2, readFileSync as readFileSync2 } from "node:fs";
import { join as join4 } from "node:path";
var TRIAL = {
  name: "trial",
  op: "rms_norm",
  dtypes: ["float32"],
  backend: "onnxruntime",
  operator: "SimplifiedLayerNormalization"
};
async function automaticProvider(options, showsGpu) {
  if (!showsGpu()) return "cpu";
  try {
    const trial = await hostedProcess(TRIAL, { ...options, dtype: "float32", execution_provider: "webgpu" });
    await trial.close();
    return "webgpu";
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    options.log(`ONNX Runtime's kernels run on the CPU: ${error.message}`);
    return "cpu";
  }
}
var VENDORS = /* @__PURE__ */ new Set(["0x10de", "0x1002", "0x8086"]);
function machineShowsGpu(root = "/", platform = process.platform) {
  if (platform === "darwin" || platform === "win32") return true;
  const nodes = list(join4(root, "dev"));
  if (nodes.some((name) => /^(?:nvidia\d+|dxg)$/.test(name))) return true;
  const renders = list(join4(root, "dev/dri")).filter((name) => name.startsWith("renderD"));
  if (renders.some((name) => VENDORS.has(text(join4(root, "sys/class/drm", name, "device/vendor"))))) return true;
  const drivers = ["usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d", "etc/vulkan/icd.d"].flatMap(
    (folder) => list(join4(root, folder))
  );
  return drivers.some((name) => name.endsWith(".json") && !/^(?:lvp|swrast|vk_swiftshader)/.test(name));
}
function list(folder) {
  try {
    return readdirSync2(folder);
  } catch {
    return [];
  }
}
function text(file) {
  return existsSync(file) ? readFileSync2(file, "utf8").trim() : "";
}

// src/kernels/processes.ts
var CANCELS = ["SIGINT", "SIGTERM", "SIGHUP"];
function kernelProcesses(given, showsGpu = machineShowsGpu) {
  const slots = /* @__PURE__ */ new Map();
  const kills = /* @__PURE__ */ new Set();
  const gpus = /* @__PURE__ */ new Set();
  let chosen;
  let folder;
  let closed = false;
  const killAll = () => {
    for (const kill of kills) kill();
    kills.clear();
    if (folder !== void 0) rmSync2(folder, { recursive: true, force: true });
  };
  process.on("exit", killAll);
  const onSignal = (signal) => {
    killAll();
    forget();
    process.kill(process.pid, signal);
  };
  for (const signal of CANCELS) process.on(signal, onSignal);
  const forget = () => {
    process.off("exit", killAll);
    for (const signal of CANCELS) process.off(signal, onSignal);
  };
  const common = () => {
    if (closed) throw new KernelError("the run has ended");
    folder ??= mkdtempSync2(join5(process.env["RUNNER_TEMP"] ?? tmpdir(), "fused-compat-kernels-"));
    return { host: given.host, log: given.log, folder, onSpawn: (kill) => void kills.add(kill) };
  };
  const provider = async () => {
    const { execution_provider: asked } = given;
    return asked === "auto" ? chosen ??= automaticProvider(common(), showsGpu) : asked;
  };
  const open3 = async (kernel, dtype) => {
    const options = { ...common(), dtype, execution_provider: kernel.backend === "onnxruntime" ? await provider() : "cpu" };
    return kernel.backend === "command" ? commandProcess(kernel, options) : hostedProcess(kernel, options);
  };
  const slotOf = (kernel, dtype) => {
    const key = `${kernel.name} ${dtype}`;
    const known = slots.get(key);
    if (known !== void 0) return known;
    const slot = { starting: open3(kernel, dtype), turn: Promise.resolve() };
    slot.starting.catch(() => void 0);
    slots.set(key, slot);
    return slot;
  };
  return {
    provider,
    gpu: () => gpus.size === 0 ? null : [...gpus].sort().join(", "),
    start: async (kernel, dtype) => (await slotOf(kernel, dtype).starting).device,
    async call(kernel, call) {
      const slot = slotOf(kernel, call.dtype);
      const answer = slot.turn.then(async () => {
        if (!(await slot.starting).usable) slot.starting = open3(kernel, call.dtype);
        const running = await slot.starting;
        const answered = await running.call(call);
        if (running.device.gpu) gpus.add(running.device.device);
        return answered;
      });
      slot.turn = answer.catch(() => void 0);
      return answer;
    },
    async close() {
      closed = true;
      await Promise.all([...slots.values()].map(({ starting }) => starting.then((running) => running.close()).catch(() => void 0)));
      forget();
      killAll();
    }
  };
}

// src/checker/norm-values.ts
init_errors();

// src/checker/norm-tensors.ts
var QK_NORMS = [
  { k: "k_norm", q: "q_norm", families: "Qwen3, Gemma 3, OLMo 2, OLMoE, EXAONE 4, GLM-4.5, MiniMax-M2, Command R+, Chameleon" },
  { k: "k_layernorm", q: "q_layernorm", families: "Phi-1/2, Persimmon, LFM2; StableLM 2 with a norm per head below it (.norms.0 ...)" },
  { k: "key_layernorm", q: "query_layernorm", families: "HunYuan, Ling (Bailing)" },
  { k: "k_layer_norm", q: "q_layer_norm", families: "Idefics" },
  { k: "k_ln", q: "q_ln", families: "MPT" },
  { k: "attn_k_norm", q: "attn_q_norm", families: "GGUF, whatever the family" }
];
var BIASES = {
  q_proj: "Q",
  k_proj: "K",
  v_proj: "V",
  query: "Q",
  key: "K",
  value: "V",
  qkv_proj: "QKV",
  query_key_value: "QKV",
  c_attn: "QKV",
  Wqkv: "QKV",
  in_proj_qkv: "QKV",
  attn_q: "Q",
  attn_k: "K",
  attn_v: "V",
  attn_qkv: "QKV"
};
var NORM_MODULE = /norm(?:_?\d+)?$|^ln(?:_\w+)?$/i;
var IN_LAYER = /^(|.*?\.)(layers|layer|h|blocks|block|blk)\.(\d{1,5})\.(.+)\.(weight|bias)$/;
var OTHER_TOWER = /(?:^|[._])(?:vision|visual|vit|siglip|clip|image|audio|speech|whisper|talker|mtp|nextn|draft|eagle)|^[va]\.$/i;
var INDEXER = /(?:^|\.)indexer\./;
var GENAI_FINAL_NORM = "final_norm_layernorm";
var MAX_NORM_ELEMENTS = 2 ** 22;
function findNormTensors(checkpoint) {
  const stacks = /* @__PURE__ */ new Map();
  const outer = [];
  for (const tensor of checkpoint.tensors.values()) {
    const name = torchName(tensor.name);
    const match = IN_LAYER.exec(name);
    if (match === null) {
      const module2 = /^(.+)\.weight$/.exec(name)?.[1];
      if (module2 !== void 0 && isNorm(module2, tensor) && !OTHER_TOWER.test(module2)) outer.push({ tensor, module: module2, layer: null });
      continue;
    }
    const [, prefix = "", container = "", index = "", module = "", kind] = match;
    if (OTHER_TOWER.test(prefix)) continue;
    if (module === GENAI_FINAL_NORM) {
      if (kind === "weight") outer.push({ tensor, module, layer: null });
      continue;
    }
    const stack = getOrAdd(stacks, prefix + container, () => /* @__PURE__ */ new Map());
    const layer = Number(index);
    const entry = getOrAdd(stack, layer, () => ({ layer, k: [], q: [], norms: [], biases: [], normBiases: [] }));
    if (kind === "weight") sortWeight(entry, { tensor, module, layer });
    else sortBias(entry, { tensor, module, layer });
  }
  const deepest = [...stacks.values()].reduce((best, stack) => stack.size > best.size ? stack : best, /* @__PURE__ */ new Map());
  const layers = [...deepest.values()].sort((a, b) => a.layer - b.layer);
  return { layers, layersTotal: (layers.at(-1)?.layer ?? -1) + 1, outer };
}
function torchName(name) {
  const dotted = name.startsWith("/") ? name.slice(1).replaceAll("/", ".") : name;
  return dotted.replace(/(\.[qk]_norm)\.layernorm\.(weight|bias)$/, "$1.$2").replace(/(_proj)\.Add\.bias$/, "$1.bias");
}
function isGenaiExport(checkpoint) {
  if (checkpoint.format !== "onnx") return false;
  return [...checkpoint.tensors.keys()].some((name) => /\.attn\.[qk]_norm\.layernorm\.weight$|\.final_norm_layernorm\.weight$/.test(name));
}
function sortWeight(entry, norm) {
  const parts = norm.module.replace(/\.norms\.\d+$/, "").split(".");
  const last = parts.at(-1) ?? "";
  const elements = elementsOf(norm.tensor);
  if (INDEXER.test(norm.module)) return;
  if (norm.tensor.shape.length <= 2 && elements > 0 && elements <= MAX_NORM_ELEMENTS) {
    if (QK_NORMS.some(({ k }) => k === last)) return void entry.k.push(norm);
    if (QK_NORMS.some(({ q }) => q === last)) return void entry.q.push(norm);
  }
  if (isNorm(norm.module, norm.tensor)) entry.norms.push(norm);
}
function sortBias(entry, bias) {
  const last = bias.module.split(".").at(-1) ?? "";
  const projection = Object.hasOwn(BIASES, last) ? BIASES[last] : void 0;
  if (INDEXER.test(bias.module)) return;
  if (projection !== void 0 && isVector(bias.tensor)) entry.biases.push({ ...bias, projection });
  else if (isNorm(bias.module, bias.tensor)) entry.normBiases.push(bias);
}
function isNorm(module, tensor) {
  return isVector(tensor) && NORM_MODULE.test(module.split(".").at(-1) ?? "");
}
function isVector(tensor) {
  return tensor.shape.length === 1 && elementsOf(tensor) > 0 && elementsOf(tensor) <= MAX_NORM_ELEMENTS;
}
function elementsOf(tensor) {
  return tensor.shape.reduce((product, size) => product * size, 1);
}
function getOrAdd(map, key, make) {
  const found = map.get(key);
  if (found !== void 0) return found;
  const made = make();
  map.set(key, made);
  return made;
}

// src/checker/norm-values.ts
var ONE_PLUS_WEIGHT = /* @__PURE__ */ new Set([
  "gemma",
  "gemma2",
  "gemma3",
  "gemma3_text",
  "recurrent_gemma",
  "vaultgemma",
  "qwen3_next",
  "qwen3_5",
  "qwen3_5_text",
  "qwen3_5_moe",
  "qwen3_5_moe_text",
  "nemotron"
]);
var PLAIN_MODULE = /(?:^|\.)linear_attn\.norm$/;
function multipliesByOnePlusWeight(checkpoint, modelConfig) {
  if (checkpoint.format === "gguf" || isGenaiExport(checkpoint)) return false;
  return [modelConfig, textConfig(modelConfig)].some(
    (config) => typeof config["model_type"] === "string" && ONE_PLUS_WEIGHT.has(config["model_type"])
  );
}
function textConfig(modelConfig) {
  const text2 = modelConfig["text_config"];
  return typeof text2 === "object" && text2 !== null && !Array.isArray(text2) ? { ...modelConfig, ...text2 } : modelConfig;
}
function headDimOf(config) {
  const explicit = positive(config["head_dim"]);
  if (explicit !== void 0) return explicit;
  const hidden = positive(config["hidden_size"]);
  const heads = positive(config["num_attention_heads"]);
  return hidden !== void 0 && heads !== void 0 && hidden % heads === 0 ? hidden / heads : void 0;
}
function positive(value) {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : void 0;
}
async function readNormValues(checkpoint, inventory, onePlusWeight) {
  const norm = (found) => readVector(checkpoint, found, onePlusWeight && !PLAIN_MODULE.test(found.module) ? 1 : 0);
  const layers = inventory.layers.map(async (layer) => {
    const [k, q, norms, biases2] = await Promise.all([
      Promise.all(layer.k.map(norm)),
      Promise.all(layer.q.map(norm)),
      Promise.all(layer.norms.map(norm)),
      Promise.all(layer.biases.map(async (bias) => ({ ...await readVector(checkpoint, bias, 0), projection: bias.projection })))
    ]);
    const perHead = [...layer.k, ...layer.q].some(({ tensor }) => tensor.shape.length === 2) || layer.k.length > 1 || layer.q.length > 1;
    return { layer: layer.layer, k: joined(k), q: joined(q), perHead, norms, biases: biases2 };
  });
  return { layers: await Promise.all(layers), outer: await Promise.all(inventory.outer.map(norm)) };
}
async function readVector(checkpoint, { tensor, module, layer }, offset) {
  const stored3 = await checkpoint.read(tensor.name);
  const decoded = dequantize(stored3, tensor.dtype) ?? decodeUnscaled(checkpoint, tensor, stored3);
  const bytes = decoded === null ? stored3 : new Uint8Array(decoded.buffer);
  const dtype = decoded === null ? tensor.dtype : "F32";
  const { nan, inf, min, max } = statisticsOf(bytes, dtype, tensor.name);
  if (nan + inf > 0) throw nonFinite(tensor, nan, inf);
  const maxStored = Math.max(Math.abs(min ?? 0), Math.abs(max ?? 0));
  const values = toFloat64(bytes, dtype, tensor.name);
  for (let i = 0; i < values.length; i++) values[i] = Math.abs(offset + values[i]);
  return { name: tensor.name, module, layer, values, maxStored };
}
var SCALES = ["weight_scale", "weight_scale_inv", "weight_scale_2", "scale_weight", "weight.scale"];
function decodeUnscaled(checkpoint, tensor, stored3) {
  const values = decodeNarrow(stored3, tensor.dtype, tensor.name);
  if (values === null) return null;
  const module = tensor.name.slice(0, tensor.name.lastIndexOf(".") + 1);
  const scale = SCALES.map((last) => `${module}${last}`).find((name) => checkpoint.tensors.has(name));
  if (scale === void 0) return values;
  throw new ModelError(
    "weights_invalid",
    `${tensor.file}: tensor ${quote(tensor.name)} is ${tensor.dtype} with its scale in ${quote(scale)}: scaled norms are not read. Use a checkpoint whose norms are not quantized.`
  );
}
function nonFinite(tensor, nan, inf) {
  const counts = [nan > 0 ? `${nan} NaN` : "", inf > 0 ? `${inf} infinite` : ""].filter((part) => part !== "").join(" and ");
  const values = tensor.shape.reduce((product, size) => product * size, 1);
  return new ModelError(
    "non_finite_weights",
    `${tensor.file}: tensor ${quote(tensor.name)} holds ${counts} of ${values} values; the checkpoint is damaged. Download or export it again.`
  );
}
function joined(vectors) {
  const [first] = vectors;
  if (first === void 0 || vectors.length === 1) return first ?? null;
  const heads = [...vectors].sort((a, b) => a.module.localeCompare(b.module, "en", { numeric: true }));
  const values = Float64Array.from(heads.flatMap((head) => [...head.values]));
  return {
    ...first,
    module: first.module.replace(/\.norms\.\d+$/, ""),
    values,
    maxStored: Math.max(...heads.map((head) => head.maxStored))
  };
}
function largest(values) {
  let result = -Infinity;
  for (const value of values) if (value > result) result = value;
  return result;
}
function lowerMedian(values) {
  return values.toSorted()[values.length - 1 >> 1] ?? 0;
}

// src/checker/rope-gain.ts
function jointGain(q, k, headDim, rotaryDim) {
  const heads = q.length / headDim;
  const kvHeads = k.length / headDim;
  if (!Number.isInteger(heads) || !Number.isInteger(kvHeads) || kvHeads === 0 || heads % kvHeads !== 0 && heads !== 1) return null;
  const pairs = [];
  for (let head = 0; head < Math.max(heads, kvHeads); head++) {
    const qHead = headAt(q, heads === 1 ? 0 : head, headDim);
    const kHead = headAt(k, heads === 1 ? head : Math.floor(head * kvHeads / heads), headDim);
    const half = rotaryDim / 2;
    for (let i = 0; i < half; i++) pairs.push(pairMax(qHead, i, i + half) * pairMax(kHead, i, i + half));
    for (let i = rotaryDim; i < headDim; i++) pairs.push(pairMax(qHead, i, i) * pairMax(kHead, i, i));
  }
  return { max: largest(pairs), median: lowerMedian(Float64Array.from(pairs)) };
}
function headAt(values, head, headDim) {
  return values.subarray(head * headDim, (head + 1) * headDim);
}
function pairMax(values, i, j) {
  return Math.max(values[i] ?? 0, values[j] ?? 0);
}

// src/checker/scheme-findings.ts
var OUTPUT_NORMS = ["post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm", "post_ffw_norm"];
var INPUT_NORMS = ["input_layernorm", "ln_1", "norm_1", "attention_norm", "attention_layernorm", "pre_attention_layernorm", "attn_norm"];
var LATENT_NORM = /(?:^|\.)(?:(?:kv_a|q_a)_layernorm|attn_(?:kv_a|q_a)_norm)$/;
function schemeFindings(inventory, values, config) {
  return [
    ...layerCount(inventory, config),
    ...qkNormExtent(inventory, values, config),
    ...qkNormPartial(inventory),
    ...qkNormWithoutWeights(inventory, config),
    ...outputNorms(inventory),
    ...latentNorms(inventory),
    ...missingNorms(inventory),
    ...normBiases(inventory)
  ];
}
function finding(code, first, value, message) {
  return { code, layer: first?.layer ?? null, tensor: first?.tensor.name ?? null, value, message };
}
function of(count, inventory) {
  return `${count} of ${inventory.layersTotal} layers`;
}
function layerCount(inventory, config) {
  const stated = config["num_hidden_layers"] ?? config["n_layer"] ?? config["n_layers"] ?? config["num_layers"];
  const { layersTotal, layers } = inventory;
  if (layersTotal === 0) {
    const message2 = "No layers were found by the names of the tensors, so nothing was checked: a score of 1.00 says nothing about this checkpoint.";
    return [finding("no_layers_found", void 0, 0, message2)];
  }
  if (typeof stated !== "number" || stated === layersTotal && layers.length === layersTotal) return [];
  const gaps = layers.length === layersTotal ? "" : `, of which only ${layers.length} have tensors`;
  const message = `config.json says ${stated} layers, but the weights have ${layersTotal}${gaps}; the numbers here are those of the weights.`;
  return [finding("layer_count_mismatch", void 0, layersTotal, message)];
}
function qkNormExtent(inventory, values, config) {
  const perHead = values.layers.filter((layer) => layer.perHead);
  const headDim = headDimOf(config);
  const first = (layer) => inventory.layers.find((entry) => entry.layer === layer)?.k[0];
  if (perHead.length > 0) {
    const message2 = `Q/K norm has own weights for each head in ${of(perHead.length, inventory)}; kernels that use one vector for all heads get it wrong.`;
    return [finding("qk_norm_per_head", first(perHead[0]?.layer), perHead.length, message2)];
  }
  const wide = values.layers.filter((layer) => headDim !== void 0 && layer.k !== null && layer.k.values.length > headDim);
  if (wide.length === 0) return [];
  const message = `Q/K norm goes over all heads at once in ${of(wide.length, inventory)} (${wide[0]?.k?.values.length ?? 0} weights, head_dim ${headDim ?? 0}), as in OLMo 2; kernels that normalise each head get it wrong.`;
  return [finding("qk_norm_all_heads", first(wide[0]?.layer), wide.length, message)];
}
function qkNormPartial(inventory) {
  const both = inventory.layers.filter((layer) => layer.k.length > 0 && layer.q.length > 0).length;
  const any = inventory.layers.filter((layer) => layer.k.length > 0 || layer.q.length > 0).length;
  if (any === 0 || both === inventory.layers.length) return [];
  const without = inventory.layers.find((layer) => layer.k.length === 0 || layer.q.length === 0);
  const message = `Both Q and K norm are in ${of(both, inventory)}, one of them alone in ${any - both}; layer ${without?.layer ?? 0} is the first that differs.`;
  return [{ ...finding("qk_norm_partial", void 0, both, message), layer: without?.layer ?? null }];
}
function qkNormWithoutWeights(inventory, config) {
  if (config["use_qk_norm"] !== true || inventory.layers.some((layer) => layer.k.length > 0 || layer.q.length > 0)) return [];
  const message = "config.json says use_qk_norm, but no layer has Q/K norm weights: Q and K are normalised without weights, as in Llama 4. The score has nothing to look at; kernels must normalise all the same.";
  return [finding("qk_norm_weightless", void 0, inventory.layersTotal, message)];
}
function outputNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => OUTPUT_NORMS.includes(norm.module)));
  const layers = inventory.layers.filter((layer) => layer.norms.some((norm) => OUTPUT_NORMS.includes(norm.module)));
  if (layers.length === 0) return [];
  const sandwich = layers.some((layer) => layer.norms.some((norm) => INPUT_NORMS.includes(norm.module)));
  const message = sandwich ? `Sandwich norms in ${of(layers.length, inventory)}: attention and MLP are normalised before and after; a fused residual-add-and-norm must add after the second.` : `Norms after attention and MLP and none before, in ${of(layers.length, inventory)}, as in OLMo 2; a fused norm-and-projection has no place there.`;
  return [finding(sandwich ? "sandwich_norms" : "post_norms", norms[0], layers.length, message)];
}
function latentNorms(inventory) {
  const norms = inventory.layers.flatMap((layer) => layer.norms.filter((norm) => LATENT_NORM.test(norm.module)));
  if (norms.length === 0) return [];
  const layers = new Set(norms.map((norm) => norm.layer)).size;
  const message = `Norms on compressed Q or KV (multi-head latent attention) in ${of(layers, inventory)}; they are not the Q/K norms that the score is about.`;
  return [finding("latent_norms", norms[0], layers, message)];
}
function missingNorms(inventory) {
  const { layers } = inventory;
  if (layers.length === 0) return [];
  if (layers.every((layer) => layer.norms.length === 0 && layer.k.length === 0 && layer.q.length === 0)) {
    const message2 = `No layer has norm weights: either its norms have none (as in OLMo 1) or the tensors bear names that are not known here.`;
    return [finding("norm_missing", void 0, 0, message2)];
  }
  const counts = /* @__PURE__ */ new Map();
  for (const layer of layers) for (const module of layerModules(layer)) counts.set(module, (counts.get(module) ?? 0) + 1);
  const partial = [...counts].filter(([, count]) => count > layers.length / 2 && count < layers.length);
  const [first] = partial;
  if (first === void 0) return [];
  const without = layers.find((layer) => !layerModules(layer).has(first[0]));
  const message = `The norm ${printable(first[0])} is in ${of(first[1], inventory)} only; layer ${without?.layer ?? 0} is the first without it.`;
  return [{ ...finding("norm_missing", void 0, first[1], message), layer: without?.layer ?? null }];
}
function layerModules(layer) {
  return new Set(layer.norms.map((norm) => norm.module).filter((module) => !module.includes(".")));
}
function normBiases(inventory) {
  const biases2 = inventory.layers.flatMap((layer) => layer.normBiases);
  if (biases2.length === 0) return [];
  const layers = new Set(biases2.map((bias) => bias.layer)).size;
  const message = `Norms have biases in ${of(layers, inventory)}: this is LayerNorm, which also subtracts the mean; RMSNorm kernels get it wrong.`;
  return [finding("layernorm_bias", biases2[0], layers, message)];
}

// src/checker/findings.ts
var FLOAT16_MAX = 65504;
function collectFindings(inventory, values, layers, modelConfig, thresholds) {
  const config = textConfig(modelConfig);
  return [
    ...zeroMedians(values),
    ...jointGains(values, layers, config, thresholds),
    ...biases(values, thresholds),
    ...massiveNorms(values, thresholds),
    ...outlierChannels(values, thresholds),
    ...float16Overflow(values),
    ...schemeFindings(inventory, values, config)
  ];
}
function shown2(value) {
  return String(Number(value.toPrecision(3)));
}
function place(layer) {
  return layer === null ? "outside of the layers" : `in layer ${layer}`;
}
function sharing(count, total) {
  return count === 1 ? `1 of ${total} layers` : `${count} of ${total} layers`;
}
function worst(candidates) {
  return candidates.reduce((best, next) => best === void 0 || next.value > best.value ? next : best, void 0);
}
function distinctLayers(candidates) {
  return new Set(candidates.map(({ vector }) => vector.layer)).size;
}
function zeroMedians(values) {
  return ["k", "q"].flatMap((side) => {
    const zero = values.layers.flatMap((layer) => {
      const vector = layer[side];
      return vector !== null && lowerMedian(vector.values) === 0 ? [{ vector, value: largest(vector.values) }] : [];
    });
    const first = worst(zero);
    if (first === void 0) return [];
    const norm = side === "k" ? "K" : "Q";
    const consequence = side === "k" ? "; its ratio counts as infinite" : "";
    const message = `The ${norm} norm ${place(first.vector.layer)} has a median weight of 0 and a largest one of ${shown2(first.value)} (${sharing(distinctLayers(zero), values.layers.length)})${consequence}. Half of its channels are switched off: check how the checkpoint was exported.`;
    return [{ code: "zero_median_norm", layer: first.vector.layer, tensor: first.vector.name, value: first.value, message }];
  });
}
function jointGains(values, layers, config, thresholds) {
  const limit = thresholds.extreme_weight ** 2;
  const gains = values.layers.flatMap((layer) => {
    const gain = layerGain(layer, config);
    return gain === null || layer.k === null ? [] : [{ ...gain, vector: layer.k, value: gain.max }];
  });
  const over = gains.filter((gain) => gain.max > limit);
  const suspicious = layers.some(
    ({ extreme, max_k, k_ratio }) => extreme || max_k !== null && (k_ratio === null || k_ratio > thresholds.ratio_warn)
  );
  const top = gains.reduce(
    (best, next) => best === void 0 || next.max > best.max ? next : best,
    void 0
  );
  if (top === void 0 || over.length === 0 && !suspicious) return [];
  const compared = top.median === 0 ? "" : `, ${shown2(top.max / top.median)} times the median pair`;
  const judged = over.length === 0 ? `At or below ${shown2(limit)} everywhere: taken together the norms are less extreme than the weights of one of them suggest.` : `Over ${shown2(limit)} in ${sharing(over.length, values.layers.length)}: such pairs dominate the attention scores.`;
  const message = `The joint gain of K and Q norm reaches ${shown2(top.max)} for one RoPE pair ${place(top.vector.layer)}${compared}; unlike the K ratio it stays the same when scale is moved between K and Q. ${judged}`;
  return [{ code: "qk_joint_gain", layer: top.vector.layer, tensor: top.vector.name, value: top.max, message }];
}
function layerGain(layer, config) {
  if (layer.k === null || layer.q === null) return null;
  const headDim = headDimOf(config) ?? Math.min(layer.k.values.length, layer.q.values.length);
  const nested = config["rope_parameters"];
  const fraction = [nested, config].map(
    (source) => typeof source === "object" && source !== null && "partial_rotary_factor" in source ? source.partial_rotary_factor : void 0
  ).find((value) => typeof value === "number" && value > 0 && value <= 1);
  const rotaryDim = 2 * Math.floor(headDim * (typeof fraction === "number" ? fraction : 1) / 2);
  return jointGain(layer.q.values, layer.k.values, headDim, rotaryDim);
}
function biases(values, { extreme_weight: limit }) {
  const projections = ["K", "Q", "V", "QKV"];
  return projections.flatMap((projection) => {
    const found = values.layers.flatMap((layer) => layer.biases.filter((bias) => bias.projection === projection));
    const over = found.map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
    const top = worst(over);
    if (top === void 0) return [];
    const norm = Math.sqrt(top.vector.values.reduce((sum, value) => sum + value * value, 0));
    const message = `The ${projection} projection's bias reaches ${shown2(top.value)} ${place(top.vector.layer)} (L2 norm ${shown2(norm)}); it is over ${limit} in ${sharing(distinctLayers(over), values.layers.length)}. Rounding steps grow with it, and what the input adds is lost in them.`;
    return [{ code: "bias_norm", layer: top.vector.layer, tensor: top.vector.name, value: norm, message }];
  });
}
function otherNorms(values) {
  return [...values.layers.flatMap((layer) => layer.norms), ...values.outer];
}
function massiveNorms(values, { max_weight_warn: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has a weight of ${shown2(top.value)}; norms other than Q and K are over ${limit} ${affected(over, values.layers.length)}. It multiplies rounding errors of its input as much as the input.`;
  return [{ code: "massive_norm_weight", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}
function outlierChannels(values, { ratio_fail: limit }) {
  const over = otherNorms(values).map((vector) => ({ vector, value: largest(vector.values) / lowerMedian(vector.values) })).filter(({ value }) => value > limit);
  const top = worst(over);
  if (top === void 0) return [];
  const times = Number.isFinite(top.value) ? `${shown2(top.value)} times` : "a weight while most have none, beyond any multiple of";
  const message = `The norm ${printable(top.vector.module)} ${place(top.vector.layer)} has an outlier channel at ${times} its median weight; norms other than Q and K are over ${limit} times ${affected(over, values.layers.length)}. A few channels carry most of the signal, and their errors.`;
  return [
    {
      code: "norm_outlier_channels",
      layer: top.vector.layer,
      tensor: top.vector.name,
      value: Number.isFinite(top.value) ? top.value : null,
      message
    }
  ];
}
function affected(over, total) {
  const inLayers = over.filter(({ vector }) => vector.layer !== null);
  if (inLayers.length === 0) return "nowhere else";
  return `in ${sharing(distinctLayers(inLayers), total)}${inLayers.length === over.length ? "" : " and outside of them"}`;
}
function float16Overflow(values) {
  const all = [
    ...values.layers.flatMap((layer) => [layer.k, layer.q, ...layer.biases].filter((vector) => vector !== null)),
    ...otherNorms(values)
  ];
  const over = all.map((vector) => ({ vector, value: vector.maxStored })).filter(({ value }) => value > FLOAT16_MAX);
  const top = worst(over);
  if (top === void 0) return [];
  const message = `${printable(top.vector.module)} ${place(top.vector.layer)} holds ${shown2(top.value)}, more than float16 can (${FLOAT16_MAX})${over.length === 1 ? "" : `, and so do ${over.length - 1} more of the norms and biases`}. Served in float16 it overflows: use bfloat16 or float32.`;
  return [{ code: "float16_overflow", layer: top.vector.layer, tensor: top.vector.name, value: top.value, message }];
}

// src/checker/static-check.ts
async function staticCheck(checkpoint, modelConfig, thresholds) {
  const inventory = findNormTensors(checkpoint);
  const values = await readNormValues(checkpoint, inventory, multipliesByOnePlusWeight(checkpoint, modelConfig));
  const measured = values.layers.filter((layer) => layer.k !== null || layer.q !== null).map((layer) => measure(layer, thresholds));
  const layers = measured.map(({ report }) => report);
  const ratio = maxOrNull(measured.map((layer) => layer.ratio));
  const maxK = maxOrNull(layers.map((layer) => layer.max_k));
  const extreme = layers.filter((layer) => layer.extreme);
  const share = inventory.layersTotal === 0 ? 0 : extreme.length / inventory.layersTotal;
  const scores = {
    ratio: ratioScore(ratio ?? 0, thresholds),
    extreme_layers: extremeLayersScore(share, thresholds),
    max_weight: maxWeightScore(maxK ?? 0, thresholds)
  };
  const { ratio_weight, extreme_layers_weight, max_weight_weight, amplification_per_weight } = thresholds;
  const score = cleaned(
    ratio_weight * scores.ratio + extreme_layers_weight * scores.extreme_layers + max_weight_weight * scores.max_weight
  );
  return {
    status: statusOf(score, ratio ?? 0, maxK ?? 0, thresholds),
    score,
    scores,
    max_k_weight: maxK,
    k_weight_ratio: finiteOrNull(ratio),
    max_q_weight: maxOrNull(layers.map((layer) => layer.max_q)),
    extreme_layers: extreme.length,
    layers_total: inventory.layersTotal,
    estimated_amplification: extreme.reduce((product, layer) => product * (1 + amplification_per_weight * meanMax(layer)), 1),
    bytes_read: checkpoint.bytesRead,
    bytes_total: checkpoint.byteLength,
    requests: null,
    bytes_transferred: null,
    findings: [...unknownFamily(checkpoint, modelConfig), ...collectFindings(inventory, values, layers, modelConfig, thresholds)],
    layers
  };
}
function unknownFamily(checkpoint, modelConfig) {
  if (checkpoint.format !== "onnx" || typeof modelConfig["model_type"] === "string" || isGenaiExport(checkpoint)) return [];
  const message = "The ONNX file comes without config.json, so its norms count by |weight|. For Gemma-style models, whose norms multiply by 1 + weight, that is wrong: put the config.json of the model beside the file.";
  return [{ code: "model_type_unknown", layer: null, tensor: null, value: null, message }];
}
function measure(layer, thresholds) {
  const k = statistics(layer.k);
  const q = statistics(layer.q);
  const report = {
    layer: layer.layer,
    max_k: k.max,
    median_k: k.median,
    k_ratio: finiteOrNull(k.ratio),
    max_q: q.max,
    median_q: q.median,
    q_ratio: finiteOrNull(q.ratio),
    extreme: (k.max ?? 0) > thresholds.extreme_weight || (q.max ?? 0) > thresholds.extreme_weight
  };
  return { report, ratio: k.ratio };
}
function statistics(vector) {
  if (vector === null) return { max: null, median: null, ratio: null };
  const max = largest(vector.values);
  const median = lowerMedian(vector.values);
  return { max, median, ratio: median === 0 ? Infinity : max / median };
}
function ratioScore(ratio, { ratio_warn: warn, ratio_fail: fail }) {
  if (ratio > fail) return 0;
  return ratio > warn ? cleaned(0.5 * (fail - ratio) / (fail - warn)) : 1;
}
function extremeLayersScore(share, { extreme_share_warn: warn, extreme_share_fail: fail }) {
  if (share > fail) return 0;
  return share > warn ? cleaned(1 - 0.4 * (share - warn) / (fail - warn)) : 1;
}
function maxWeightScore(max, { max_weight_warn: warn, max_weight_fail: fail }) {
  if (max > fail) return 0;
  return max > warn ? cleaned((fail - max) / (fail - warn)) : 1;
}
function statusOf(score, ratio, maxK, thresholds) {
  if (score < thresholds.score_incompatible) return "INCOMPATIBLE";
  if (score < thresholds.score_warning) return "WARNING";
  return ratio < thresholds.compatible_ratio && maxK < thresholds.compatible_max_weight ? "COMPATIBLE" : "WARNING";
}
function meanMax({ max_k: k, max_q: q }) {
  return ((k ?? q ?? 0) + (q ?? k ?? 0)) / 2;
}
function maxOrNull(values) {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : largest(present);
}
function finiteOrNull(value) {
  return value !== null && Number.isFinite(value) ? value : null;
}
function cleaned(value) {
  return Math.round(value * 1e12) / 1e12;
}

// src/models.ts
init_errors();

// src/tokenizer/prompts.ts
var ENGLISH = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light. And God saw the light, that it was good: and God divided the light from the darkness.";
var CODE = `def root_mean_square(values: list[float], eps: float = 1e-6) -> float:
    """Root of the mean of squares, e.g. [3.0, 4.0] -> 3.5355339."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * value
        if index % 1024 == 0:
            print(f"{index:>6d}: {total:.8f}")
    return (total / max(len(values), 1) + eps) ** 0.5
`;
var SCRIPTS = "清晨,河边的小镇刚刚醒来,面包师打开了店门,孩子们背着书包走过石桥。老人坐在树下读报,风把落叶吹到水面上,船慢慢地向远方的大海驶去。 في المساء عاد الصيادون إلى الميناء ومعهم سلال مليئة بالسمك، وجلسوا قرب النار يروون حكايات البحر القديمة. सुबह होते ही किसान अपने खेतों की ओर चल पड़े, और पहाड़ों के पीछे से सूरज धीरे-धीरे निकल आया।";
var GERMAN = "Als der Regen endlich nachließ, öffnete die Uhrmacherin das Fenster ihrer Werkstatt über dem Marktplatz. Drüben läutete die Kirchturmglocke, und zwischen den Pflastersteinen glänzten Pfützen wie kleine Spiegel. „Heute“, sagte sie leise, „stelle ich die Rathausuhr, die seit siebenundzwanzig Jahren fünf Minuten nachgeht.“ Ihr Lehrling lachte und griff nach der Werkzeugkiste.";
function builtInPrompts() {
  return [ENGLISH, CODE, SCRIPTS, GERMAN];
}
var SHORTER_BY = [0, 0, 3, 14];
function builtInLength(index, limit) {
  return Math.max(1, limit - (SHORTER_BY[index] ?? 0));
}

// src/verdict/diagnosis.ts
var SAME_BITS = 0.99;
var RECIPES = {
  norm_weight_swapped: "rounds on the other side of the norm weight than PyTorch eager does for this family",
  float32_probabilities: "keeps the softmax probabilities in float32, as flash attention does",
  float32_inside: "keeps values inside the op in float32 and rounds once at its outputs",
  float32_between: "keeps what its ops hand to each other in float32",
  split_sums: "adds its products in another order",
  split_sums_by_four: "adds its products in another order, in four parts",
  all_variants: "rounds once at its outputs, with float32 in between and another order of sums"
};
var ALWAYS_TOLD = "norm_weight_swapped";
function diagnose(numeric2) {
  if (numeric2 === null) return [];
  const modelOff = numeric2.model?.status === "warn" || numeric2.model?.status === "fail";
  return numeric2.kernels.flatMap((kernel) => {
    const causes = numeric2.causes.filter((cause) => cause.kernel === kernel.kernel);
    return causes.length > 0 ? ofCauses(kernel.kernel, causes) : ofRounding(kernel, modelOff);
  });
}
function ofCauses(kernel, causes) {
  const fused = causes.find(({ variant }) => variant === "fused");
  const standard = causes.find(({ variant }) => variant === "standard");
  if (fused !== void 0 && fused.code === standard?.code)
    return [{ code: fused.code, message: `${kernel}, standard and fused alike, ${fused.message}.` }];
  return causes.map(({ variant, code, message }) => ({
    code,
    message: `${kernel}${variant === "standard" ? " in its standard variant" : ""} ${message}.`
  }));
}
function ofRounding(kernel, modelOff) {
  const { status, nearest_recipe: recipe, nearest_recipe_equal: equal, bitwise_equal: faithful } = kernel;
  const words = recipe === null ? void 0 : RECIPES[recipe];
  const off = modelOff || status === "warn" || status === "fail";
  const told = off || recipe === ALWAYS_TOLD && status === "pass" && (faithful ?? 1) < SAME_BITS;
  if (!told || words === void 0 || equal === null || equal < SAME_BITS) return [];
  const harmless = off ? "" : " That is within the noise of correct implementations here.";
  const message = `${kernel.kernel} ${words}: ${(equal * 100).toFixed(1)} % of its outputs are bitwise those of recipe ${recipe}.${harmless}`;
  return [{ code: "rounding_point", message }];
}

// src/models.ts
var TOKENIZER_TIMEOUT_MS = 1e4;
async function judgeModel(run, ref) {
  const found = { revision: null, architecture: null, dtype: null, static: null, numeric: null };
  let failure = null;
  try {
    await unlessCancelled(run.signal, () => stages(run, ref, found));
  } catch (error) {
    failure = asFailure(error);
  }
  const { config } = run;
  const evidence = { static: found.static, numeric: found.numeric, failure, policy: config.policy, thresholds: config };
  const { verdict, reasons, recommendations } = decide(evidence);
  const unsettled = { baseline: null, allowed: null };
  return { id: ref.id, ...found, verdict, reasons, diagnosis: diagnose(found.numeric), recommendations, ...unsettled };
}
async function unlessCancelled(signal, work) {
  let onAbort = () => void 0;
  const cancelled = new Promise((_, reject) => {
    onAbort = () => reject(new ModelError("cancelled", "The job was cancelled before this model was judged."));
    signal.addEventListener("abort", onAbort);
  });
  cancelled.catch(() => void 0);
  if (signal.aborted) onAbort();
  try {
    return await (signal.aborted ? cancelled : Promise.race([work(), cancelled]));
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
function asFailure(error) {
  if (error instanceof ModelError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal_error", message: `this is a defect of fused-compat, please report it: ${message}` };
}
async function stages(run, ref, found) {
  const { config } = run;
  const model = await openModel(ref, run.hub);
  const { files } = model;
  found.revision = files.revision;
  const described = await readModelConfig(files);
  found.architecture = modelType(described ?? {});
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = checkpoint.config ?? described ?? {};
    found.architecture = modelType(raw);
    run.log(`${ref.id}: static check`);
    const dtype = isRunnable(checkpoint) ? servingDtype(config.dtype, raw, checkpoint) : null;
    found.dtype = dtype;
    found.static = withCost(await staticCheck(checkpoint, raw, config.static), model);
    if (dtype === null && run.kernels === null) return;
    const program = buildProgram(refuseUnlessRunnable(checkpoint, raw));
    checkWeights(program, checkpoint);
    if (run.kernels === null || dtype === null) return;
    const later = model.remote ? await arrivingOf(checkpoint, program, run.kernels) : [];
    const copy = await model.copy(later.map(({ name }) => name));
    const [arrived, ran] = await Promise.allSettled([
      copy.whole(),
      numeric(run, ref, { ...copy, later, revision: files.revision }, program, dtype, run.kernels)
    ]);
    if (arrived.status === "rejected") throw arrived.reason;
    if (model.remote) found.static = await staticCheckOf(copy.folder, raw, config);
    if (ran.status === "rejected") throw ran.reason;
    found.numeric = ran.value;
  } finally {
    await checkpoint.close();
  }
}
async function arrivingOf(checkpoint, program, kernels) {
  const names = filesInOrder(program, checkpoint);
  if (names.length <= 1 || kernels.some(({ op }) => CONTRACTS.get(op)?.stands_for === "model")) return [];
  return Promise.all(
    names.map(async (name) => {
      const { source, headBytes = 0 } = checkpoint.files.get(name);
      return { name, byteLength: source.byteLength, head: await source.slice(0, headBytes) };
    })
  );
}
async function staticCheckOf(folder, raw, config) {
  const checkpoint = await openCheckpoint(await openFolder(folder));
  try {
    return await staticCheck(checkpoint, raw, config.static);
  } finally {
    await checkpoint.close();
  }
}
function withCost(read2, model) {
  const { requests = null, bytes = null } = model.cost() ?? {};
  const result = { ...read2, requests, bytes_transferred: bytes };
  const unverified = model.unverified();
  if (unverified === null) return result;
  const note = { code: "not_hash_verified", layer: null, tensor: null, value: null, message: unverified };
  return { ...result, findings: [...result.findings, note] };
}
async function numeric(run, ref, { revision, ...copy }, program, dtype, kernels) {
  const { config, engine, log } = run;
  log(`${ref.id}: tokenizing the prompts`);
  const prompts = await tokenIds(engine, copy.folder, program, config);
  const { numeric: result, kept } = await engine.run(
    {
      kind: "diff",
      model: copy.folder,
      arriving: copy.later,
      dtype,
      prompts,
      kernels,
      unfused: run.unfused,
      execution_provider: kernels.some(({ backend }) => backend === "onnxruntime") ? await run.processes.provider() : "cpu",
      require_gpu: config.require_gpu,
      layers: config.layers,
      limits: config.numeric,
      max_new_tokens: run.max_new_tokens,
      keep_in: run.reference_cache === null ? null : { root: run.reference_cache, weights: revision === null ? null : `${ref.id}@${revision}` }
    },
    {
      onLayer: (layer) => log(`${ref.id}: layer ${layer + 1} of ${program.num_hidden_layers}`),
      onQuestion: (question) => question.kind === "await_file" ? answerFileQuestion(copy, question) : answerKernelQuestion(run.processes, [...kernels, ...run.unfused], question)
    }
  );
  if (kept !== null && kept.found > 0) log(`${ref.id}: ${kept.found} results kept from earlier runs, ${kept.made} computed`);
  return { ...result, generation: result.generation === null ? null : await withTexts(engine, copy.folder, result.generation) };
}
async function answerFileQuestion(copy, { file }) {
  try {
    await copy.arrival(file);
    return { arrived: true };
  } catch (error) {
    const { code, message } = asFailure(error);
    return { refused: { code, message } };
  }
}
async function answerKernelQuestion(processes, kernels, question) {
  const kernel = kernels.find(({ name }) => name === question.kernel);
  if (kernel === void 0) return { failed: "there is no such kernel" };
  try {
    if (question.kind === "start_kernel") return { device: await processes.start(kernel, question.dtype) };
    return { answer: await processes.call(kernel, question.call) };
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}
async function tokenIds(engine, folder, program, config) {
  const prompts = config.prompts ?? builtInPrompts().map((text2) => ({ text: text2 }));
  const texts = prompts.flatMap((prompt) => "text" in prompt ? [prompt.text] : []);
  const encoded = texts.length === 0 ? [] : await tokenize(engine, folder, texts);
  let next = 0;
  return prompts.map((prompt, index) => {
    const name = `prompt ${index + 1}`;
    const ids = "text" in prompt ? checkEncoded(program, encoded[next++], name) : prompt.input_ids;
    const limit = Math.min(config.max_prompt_tokens, program.max_position_embeddings);
    if (config.prompts === null) return ids.slice(0, builtInLength(index, limit));
    checkPrompt(program, ids, name);
    return ids.slice(0, limit);
  });
}
function checkEncoded({ vocab_size }, ids, name) {
  const beyond = ids.find((id) => id >= vocab_size);
  if (beyond === void 0) return ids;
  const words = `${name} becomes the token id ${beyond}, but vocab_size is ${vocab_size}, so ids go from 0 to ${vocab_size - 1}`;
  throw new ModelError("tokenizer_invalid", `${words}: the tokenizer is that of another model`);
}
function tokenize(engine, model, texts) {
  return engine.run({ kind: "tokenize", model, texts }, { timeout: tokenizerTimeout("encoding") });
}
function tokenizerTimeout(what) {
  const words = `tokenizer.json: ${what} did not end within ${TOKENIZER_TIMEOUT_MS / 1e3} s; check the regular expressions of its pre_tokenizer`;
  return { ms: TOKENIZER_TIMEOUT_MS, error: new ModelError("tokenizer_invalid", words) };
}
async function withTexts(engine, model, generation) {
  const ids = generation.flatMap(({ ids_prompt, ids_standard, ids_fused }) => [ids_prompt, ids_standard, ids_fused]);
  try {
    const texts = await engine.run({ kind: "detokenize", model, ids }, { timeout: tokenizerTimeout("decoding") });
    return generation.map((entry, i) => {
      const [prompt = "", text_standard = "", text_fused = ""] = texts.slice(3 * i);
      return { ...entry, prompt, text_standard, text_fused };
    });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return [...generation];
  }
}
function servingDtype(chosen, raw, checkpoint) {
  if (chosen !== "auto") return chosen;
  const named = raw["dtype"] ?? raw["torch_dtype"];
  if (named === "bfloat16" || named === "float16" || named === "float32") return named;
  const bytes = { bfloat16: 0, float16: 0, float32: 0 };
  for (const { dtype, byteLength } of checkpoint.tensors.values()) {
    bytes[dtype === "BF16" ? "bfloat16" : dtype === "F16" ? "float16" : "float32"] += byteLength;
  }
  return ["bfloat16", "float16", "float32"].reduce((most, dtype) => bytes[dtype] > bytes[most] ? dtype : most);
}

// src/threads.ts
init_errors();
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
function startThreads(size, script = new URL("./worker.js", import.meta.url), cores = availableParallelism()) {
  const beside = (name) => new URL(script.pathname.endsWith(".mjs") ? `./${name}.mjs` : `./${name}.js`, script);
  const workerData = { threads: Math.max(1, Math.floor(cores / size)), hand: beside("hand").href };
  const idle = [];
  const all = /* @__PURE__ */ new Set();
  const waiting = [];
  let closed = false;
  const take = async () => {
    const free = idle.pop();
    if (free !== void 0) return free;
    if (all.size < size) return start();
    return new Promise((resolve) => waiting.push(resolve));
  };
  const start = () => {
    const worker = new Worker(script, { workerData });
    worker.unref();
    all.add(worker);
    worker.on("error", () => forget(worker)).on("exit", () => forget(worker));
    return worker;
  };
  const forget = (worker) => {
    all.delete(worker);
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  };
  const giveBack = (worker) => {
    const next = waiting.shift();
    if (next === void 0) idle.push(worker);
    else next(worker);
  };
  const drop = (worker) => {
    all.delete(worker);
    void worker.terminate();
    const next = closed ? void 0 : waiting.shift();
    if (next !== void 0) next(start());
  };
  return {
    host: beside("host"),
    async run(job, options = {}) {
      const worker = await take();
      worker.ref();
      const { result, usable } = await converse3(worker, job, options);
      worker.unref();
      if (usable) giveBack(worker);
      else drop(worker);
      if (result instanceof Error) throw result;
      return result.value;
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
      all.clear();
    }
  };
}
function converse3(worker, job, { onLayer, onQuestion, timeout }) {
  return new Promise((resolve) => {
    const finish2 = (outcome) => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      resolve(outcome);
    };
    const onMessage = (answer) => {
      if (answer.kind === "layer") onLayer?.(answer.layer);
      else if (answer.kind === "ask")
        void onQuestion?.(answer.question).then((reply) => worker.postMessage({ kind: "reply", id: answer.id, reply }));
      else if (answer.kind === "done") finish2({ result: { value: answer.result }, usable: true });
      else finish2({ result: fromPlainError(answer), usable: true });
    };
    const onError = (error) => finish2({ result: error instanceof Error ? error : new Error(String(error)), usable: false });
    const onExit = (code) => finish2({ result: new Error(`a worker thread ended with code ${code} before its job was done`), usable: false });
    const timer = timeout === void 0 ? void 0 : setTimeout(() => finish2({ result: timeout.error, usable: false }), timeout.ms);
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage({ kind: "job", job });
  });
}

// src/gate.ts
var MAX_THREADS = 4;
var STATIC_JOBS = 8;
async function check(config, edges = {}) {
  const { clock = () => /* @__PURE__ */ new Date(), log = () => void 0, max_new_tokens = MAX_NEW_TOKENS, signal = new AbortController().signal } = edges;
  const { reference_cache = null } = edges;
  const started = clock();
  const kernels = await kernelsUnderTest(config);
  const unfused = await unfusedKernels(kernels);
  const jobs = Math.min(jobsOf(config), config.models.length);
  const engine = edges.engine ?? startThreads(jobs);
  const hub = accessOf(edges, config.offline);
  const processes = kernelProcesses({ execution_provider: config.execution_provider, host: engine.host, log });
  try {
    const inTurn = lanes(jobs);
    const judge = async (ref) => {
      const from = clock();
      const model = await judgeModel(
        { config, kernels, unfused, processes, engine, max_new_tokens, reference_cache, hub, log, signal },
        ref
      );
      return { model, timing: { id: ref.id, duration_ms: clock().getTime() - from.getTime() } };
    };
    const judged = await Promise.all(config.models.map((ref) => inTurn(() => judge(ref))));
    const models = judged.map(({ model }) => model);
    const timing = {
      started_at: started.toISOString(),
      duration_ms: clock().getTime() - started.getTime(),
      models: judged.map((one) => one.timing)
    };
    if (reference_cache !== null && kernels !== null) await prune(reference_cache);
    return await settled({ ...heading(config, models, processes.gpu()), models, timing }, config, started);
  } finally {
    const closing = Promise.all([hub.close(), processes.close(), ...edges.engine === void 0 ? [engine.close()] : []]);
    if (signal.aborted) closing.catch(() => void 0);
    else await closing;
  }
}
async function settled(report, { baseline, allow }, day) {
  const compared = baseline === null ? report : compareWithBaseline(report, await readBaseline(baseline));
  return applyAllowances(compared, allow, day.toISOString().slice(0, 10));
}
function jobsOf({ jobs, policy }) {
  return jobs ?? (policy === "static" ? STATIC_JOBS : Math.min(MAX_THREADS, availableParallelism2()));
}
function accessOf({ env = process.env, log, patience, shared }, offline) {
  return hubAccess(env, offline, {
    ...log === void 0 ? {} : { log },
    ...patience === void 0 ? {} : { patience },
    ...shared === void 0 ? {} : { shared }
  });
}
async function kernelsUnderTest(config) {
  if (config.policy === "static") return null;
  return config.kernels === null ? SHIPPED_KERNELS : loadManifests(config.kernels);
}
async function unfusedKernels(kernels) {
  const folder = fileURLToPath2(new URL("../kernels/cuda", import.meta.url));
  if (kernels?.some(({ backend }) => backend === "cuda") !== true || !existsSync2(folder)) return [];
  return (await loadManifests(folder)).map((manifest) => ({ ...manifest, name: unfusedName(manifest.name) }));
}
function heading(config, models, gpu) {
  return {
    schema_version: 1,
    tool: { name: "fused-compat", version: package_default.version, onnxruntime: config.policy === "static" ? null : onnxruntimeVersion() },
    host: { platform: process.platform, arch: process.arch, node: process.version, cpu: cpus()[0]?.model ?? null, gpu },
    policy: config.policy,
    fail_on: config.fail_on,
    gate: gate(models, config.fail_on),
    baseline: null,
    allow: [],
    reproduce: config.reproduce
  };
}
async function reference(request, edges = {}) {
  const { program, dtype, folder: model } = await openProgram(request, edges);
  const engine = edges.engine ?? startThreads(1);
  try {
    const ids = "text" in request.prompt ? (await tokenize(engine, model, [request.prompt.text]))[0] ?? [] : request.prompt.input_ids;
    asUsage(() => checkPrompt(program, ids, "the prompt"));
    const onLayer = (layer) => edges.log?.(`${request.recipe}: layer ${layer + 1} of ${program.num_hidden_layers}`);
    const result = await engine.run({ kind: "reference", model, dtype, ids, recipe: request.recipe }, { onLayer });
    const tensors = [stored2("logits", result.logits), stored2("hidden", result.hidden)];
    await writeSafetensors(request.output, tensors);
    return { tensors: tensors.map(({ name, dtype: storedDtype, shape }) => ({ name, dtype: storedDtype, shape })) };
  } finally {
    if (edges.engine === void 0) await engine.close();
  }
}
async function openProgram(request, edges) {
  const hub = accessOf(edges, request.offline);
  try {
    return await openOn(hub, request);
  } finally {
    await hub.close();
  }
}
async function openOn(hub, { model: ref, dtype }) {
  const { files, copy } = await openModel(ref, hub);
  const described = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    const raw = refuseUnlessRunnable(checkpoint, described);
    const program = buildProgram(raw);
    checkWeights(program, checkpoint);
    return { program, dtype: servingDtype(dtype, raw, checkpoint), folder: (await copy([])).folder };
  } finally {
    await checkpoint.close();
  }
}
function asUsage(check2) {
  try {
    check2();
  } catch (error) {
    throw error instanceof ModelError ? new UsageError(error.message) : error;
  }
}
function stored2(name, { data, shape }) {
  return {
    name,
    dtype: data instanceof Float64Array ? "F64" : "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  };
}
export {
  check,
  reference
};

import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  outputShapes
} from "./chunk-OWGKBW5B.js";
import {
  quote
} from "./chunk-NAEFPM7V.js";
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/kernels/kernel.ts
var KernelError = class extends Error {
  name = "KernelError";
};
var DeviceLost = class extends KernelError {
  name = "DeviceLost";
};
function checkOutputs(op, inputs, attributes, outputs) {
  const shapes = Object.entries(outputShapes(op, inputs, attributes));
  const checked = {};
  for (const [name, shape] of shapes) {
    const output = outputs[name];
    if (output === void 0) throw new KernelError(`output ${name} is missing; ${op} gives ${shapes.map(([each]) => each).join(", ")}`);
    if (shape.length !== output.shape.length || shape.some((size, i) => size !== null && size !== output.shape[i])) {
      throw new KernelError(
        `output ${name} has shape [${output.shape.join(", ")}]; it must be [${shape.map((size) => size ?? "any").join(", ")}]`
      );
    }
    checked[name] = output;
  }
  return checked;
}

// src/weights/values.ts
init_errors();
var NUMERIC_DTYPES = ["F32", "F16", "BF16", "F64"];
function numericDtype(tensor) {
  const found = NUMERIC_DTYPES.find((dtype) => dtype === tensor.dtype);
  if (found !== void 0) return found;
  const where = tensor.file === void 0 ? "" : `${tensor.file}: `;
  throw new ModelError(
    "weights_invalid",
    `${where}tensor ${quote(tensor.name)} has dtype ${tensor.dtype}; this version computes with ${NUMERIC_DTYPES.join(", ")}. Use a checkpoint that is not quantized, or convert it.`
  );
}
function toFloat32(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return bfloat16ToFloat32(words16(bytes));
    case "F16":
      return float16ToFloat32(words16(bytes));
    case "F32":
      return new Float32Array(wholeCopy(bytes, 4));
    case "F64":
      return new Float32Array(float64View(bytes));
  }
}
function toFloat64(bytes, dtype, tensor = "") {
  if (dtype === "F64") return new Float64Array(wholeCopy(bytes, 8));
  return new Float64Array(toFloat32(bytes, dtype, tensor));
}
var UPPER = -65536;
function bfloat16ToFloat32(bits) {
  const wide = new Int32Array(bits.length);
  const eights = bits.byteOffset % 4 === 0 ? bits.length - bits.length % 8 : 0;
  const pairs = new Int32Array(bits.buffer, eights === 0 ? 0 : bits.byteOffset, eights / 2);
  for (let i = 0, to = 0; i < pairs.length; i += 4, to += 8) {
    const a = pairs[i];
    const b = pairs[i + 1];
    const c = pairs[i + 2];
    const d = pairs[i + 3];
    wide[to] = a << 16;
    wide[to + 1] = a & UPPER;
    wide[to + 2] = b << 16;
    wide[to + 3] = b & UPPER;
    wide[to + 4] = c << 16;
    wide[to + 5] = c & UPPER;
    wide[to + 6] = d << 16;
    wide[to + 7] = d & UPPER;
  }
  for (let i = eights; i < bits.length; i++) wide[i] = bits[i] << 16;
  return new Float32Array(wide.buffer);
}
function bfloat16Bits(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const fours = wide.length - wide.length % 4;
  const bits = new Uint16Array(wide.length);
  const pairs = new Int32Array(bits.buffer, 0, fours / 2);
  let lower = 0;
  for (let i = 0, to = 0; i < fours; i += 4, to += 2) {
    const a = wide[i];
    const b = wide[i + 1];
    const c = wide[i + 2];
    const d = wide[i + 3];
    lower |= a | b | c | d;
    pairs[to] = a >>> 16 | b & UPPER;
    pairs[to + 1] = c >>> 16 | d & UPPER;
  }
  for (let i = fours; i < wide.length; i++) {
    lower |= wide[i];
    bits[i] = wide[i] >>> 16;
  }
  return (lower & 65535) === 0 ? bits : null;
}
function roundToBfloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) {
    const x = wide[i];
    bits[i] = (x & 2147483647) > 2139095040 ? quietNaN(x >>> 16, 127, 64) : x + 32767 + (x >>> 16 & 1) >>> 16;
  }
  return bits;
}
function bfloat16Values(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Int32Array(values.length);
  const fours = wide.length - wide.length % 4;
  let room = 0;
  for (let i = 0; i < fours; i += 4) {
    const a = wide[i];
    const b = wide[i + 1];
    const c = wide[i + 2];
    const d = wide[i + 3];
    room |= roomAbove(a) | roomAbove(b) | roomAbove(c) | roomAbove(d);
    rounded[i] = toNearest(a);
    rounded[i + 1] = toNearest(b);
    rounded[i + 2] = toNearest(c);
    rounded[i + 3] = toNearest(d);
  }
  for (let i = fours; i < wide.length; i++) {
    room |= roomAbove(wide[i]);
    rounded[i] = toNearest(wide[i]);
  }
  return room < 0 ? bfloat16ToFloat32(roundToBfloat16(values)) : new Float32Array(rounded.buffer);
}
function roomAbove(x) {
  return 2139095040 - (x & 2147483647);
}
function toNearest(x) {
  return (x + (32767 + (x >>> 16 & 1)) | 0) & UPPER;
}
function quietNaN(cut, payload, quiet) {
  return (cut & payload) === 0 ? cut | quiet : cut;
}
function float16ToFloat32(bits) {
  const table = float16Table();
  const wide = new Int32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i]];
  return new Float32Array(wide.buffer);
}
var float16Bits = null;
function float16Table() {
  if (float16Bits !== null) return float16Bits;
  const table = new Int32Array(65536);
  const value = new Float32Array(1);
  const valueBits = new Int32Array(value.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 32768) << 16;
    const exponent = half >>> 10 & 31;
    const fraction = half & 1023;
    if (exponent === 31) table[half] = sign | 2139095040 | fraction << 13;
    else if (exponent !== 0) table[half] = sign | exponent + 112 << 23 | fraction << 13;
    else {
      value[0] = fraction * 2 ** -24;
      table[half] = sign | valueBits[0];
    }
  }
  float16Bits = table;
  return table;
}
function roundToFloat16(values) {
  const wide = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) bits[i] = float16Of(wide[i]);
  return bits;
}
function float16Of(x) {
  const sign = x >>> 16 & 32768;
  const magnitude = x & 2147483647;
  if (magnitude > 2139095040) return sign | quietNaN(31744 | magnitude >>> 13 & 1023, 1023, 512);
  if (magnitude >= 1199570944) return sign | 31744;
  if (magnitude >= 947912704) return sign | magnitude - 939524096 + 4095 + (magnitude >>> 13 & 1) >>> 13;
  if (magnitude <= 855638016) return sign;
  const significand = magnitude & 8388607 | 8388608;
  const shift = 126 - (magnitude >>> 23);
  return sign | significand + (1 << shift - 1) - 1 + (significand >>> shift & 1) >>> shift;
}
function allFinite(bytes, dtype, tensor = "") {
  switch (numericDtype({ name: tensor, dtype })) {
    case "BF16":
      return allFinite16(words16(bytes), 32640, 128);
    case "F16":
      return allFinite16(words16(bytes), 31744, 1024);
    case "F32":
      return noExponentFull(words32(bytes, 4), 2139095040, 8388608, 2147483648);
    case "F64":
      return allFinite64(words32(bytes, 8));
  }
}
function allFinite16(words, exponent, lowest) {
  const paired = words.byteOffset % 4 === 0 ? words.length - words.length % 2 : 0;
  const pairs = new Int32Array(words.buffer, paired === 0 ? 0 : words.byteOffset, paired / 2);
  if (!noExponentFull(pairs, exponent * 65537, lowest * 65537, 2147516416)) return false;
  for (let i = paired; i < words.length; i++) if ((words[i] & exponent) === exponent) return false;
  return true;
}
function noExponentFull(words, exponent, lowest, signs) {
  const full = exponent | 0;
  const one = lowest | 0;
  const fours = words.length - words.length % 4;
  for (let i = 0; i < fours; i += 4) {
    const first = (words[i] & full) + one | (words[i + 1] & full) + one;
    const second = (words[i + 2] & full) + one | (words[i + 3] & full) + one;
    if (((first | second) & signs) !== 0) return false;
  }
  for (let i = fours; i < words.length; i++) if (((words[i] & full) + one & signs) !== 0) return false;
  return true;
}
function allFinite64(words) {
  for (let i = 1; i < words.length; i += 2) if ((words[i] & 2146435072) === 2146435072) return false;
  return true;
}
function words16(bytes) {
  const whole = aligned(bytes, 2);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}
function words32(bytes, size) {
  const whole = aligned(bytes, size);
  return new Int32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
}
function float64View(bytes) {
  const whole = aligned(bytes, 8);
  return new Float64Array(whole.buffer, whole.byteOffset, whole.byteLength / 8);
}
function aligned(bytes, size) {
  return bytes.byteOffset % size === 0 && bytes.byteLength % size === 0 ? bytes : new Uint8Array(wholeCopy(bytes, size));
}
function wholeCopy(bytes, size) {
  if (bytes.byteLength % size !== 0) throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${size}-byte values`);
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}

// src/reference/served-weights.ts
init_errors();

// src/weights/histogram.ts
var PATTERNS = 65536;
var TABLE_BYTES = PATTERNS * 4;
var INPUT_AT = TABLE_BYTES;
var INPUT_BYTES = 2 ** 20;
var PAGE_BYTES = 2 ** 16;
var STEP_BYTES = 16;
var PENDING_LIMIT = 2 ** 31;
var OP = {
  loop: 3,
  end: 11,
  brIf: 13,
  localGet: 32,
  localSet: 33,
  localTee: 34,
  i32Load: 40,
  i64Load: 41,
  i32Store: 54,
  i32Const: 65,
  i64Const: 66,
  i32LessUnsigned: 73,
  i32Add: 106,
  i32And: 113,
  i32ShiftLeft: 116,
  i32ShiftRightUnsigned: 118,
  i64ShiftRightUnsigned: 136,
  i32WrapI64: 167
};
var I32 = 127;
var I64 = 126;
var [AT, END, WORD, HALF, COUNTER] = [0, 1, 2, 3, 4];
var engine = null;
var owner = null;
function startHistogram() {
  const { table, input, count } = engine ??= startEngine();
  const totals = new Float64Array(PATTERNS);
  let pending = 0;
  const self = {
    spill() {
      drain(table, totals);
      pending = 0;
    }
  };
  return {
    add(bytes) {
      if (bytes.byteLength % 2 !== 0) throw new RangeError(`${bytes.byteLength} bytes are not a whole number of 16-bit values`);
      if (owner !== self) {
        owner?.spill();
        owner = self;
      }
      for (let at = 0; at < bytes.byteLength; at += INPUT_BYTES) {
        const piece = bytes.subarray(at, at + INPUT_BYTES);
        if (pending + piece.byteLength / 2 > PENDING_LIMIT) self.spill();
        pending += piece.byteLength / 2;
        input.set(piece);
        const whole = piece.byteLength - piece.byteLength % STEP_BYTES;
        if (whole > 0) count(INPUT_AT, INPUT_AT + whole);
        for (let i = whole; i < piece.byteLength; i += 2) {
          const pattern = piece[i] | piece[i + 1] << 8;
          table[pattern] = table[pattern] + 1;
        }
      }
    },
    counts() {
      if (owner === self) self.spill();
      return totals.slice();
    }
  };
}
function drain(table, totals) {
  for (let i = 0; i < PATTERNS; i++) {
    const times = table[i];
    if (times !== 0) totals[i] = totals[i] + times;
  }
  table.fill(0);
}
function startEngine() {
  const { memory, count } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
  return {
    table: new Uint32Array(memory.buffer, 0, PATTERNS),
    input: new Uint8Array(memory.buffer, INPUT_AT, INPUT_BYTES),
    count
  };
}
function moduleBytes() {
  const section = (id, content) => [id, ...unsigned(content.length), ...content];
  const name = (text) => [text.length, ...Buffer.from(text)];
  const locals = [2, 1, I64, 2, I32];
  const body = [...locals, ...countingLoop(), OP.end];
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 96, 2, I32, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned((INPUT_AT + INPUT_BYTES) / PAGE_BYTES)]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("count"), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body])
  ]);
}
function countingLoop() {
  const emptyBlock = 64;
  return [
    ...[OP.loop, emptyBlock],
    ...countWord(0),
    ...countWord(8),
    ...[OP.localGet, AT, OP.i32Const, ...signed(STEP_BYTES), OP.i32Add, OP.localTee, AT],
    ...[OP.localGet, END, OP.i32LessUnsigned, OP.brIf, 0],
    OP.end
  ];
}
function countWord(offset) {
  return [
    ...[OP.localGet, AT, OP.i64Load, 3, offset, OP.localSet, WORD],
    ...[OP.localGet, WORD, OP.i32WrapI64, OP.localSet, HALF],
    ...countHalf(),
    ...[OP.localGet, WORD, OP.i64Const, ...signed(32), OP.i64ShiftRightUnsigned, OP.i32WrapI64, OP.localSet, HALF],
    ...countHalf()
  ];
}
function countHalf() {
  return [...countValue(OP.i32ShiftLeft, 2), ...countValue(OP.i32ShiftRightUnsigned, 14)];
}
function countValue(shift, by) {
  const place = [2, 0];
  return [
    ...[OP.localGet, HALF, OP.i32Const, ...signed(by), shift, OP.i32Const, ...signed(TABLE_BYTES - 4), OP.i32And, OP.localTee, COUNTER],
    ...[OP.localGet, COUNTER, OP.i32Load, ...place, OP.i32Const, 1, OP.i32Add, OP.i32Store, ...place]
  ];
}
function unsigned(value) {
  return value < 128 ? [value] : [value & 127 | 128, ...unsigned(value >>> 7)];
}
function signed(value) {
  return value < 64 ? [value] : [value & 127 | 128, ...signed(value >>> 7)];
}

// src/weights/narrow-floats.ts
init_errors();
var NARROW_DTYPES = ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "F4", "BOOL"];
function isNarrow(dtype) {
  return NARROW_DTYPES.some((known) => known === dtype);
}
var FORMS = {
  // No infinity: only S.1111.111 is NaN, and the largest value is 448.
  F8_E4M3: { exponentBits: 4, fractionBits: 3, bias: 7, special: (pattern) => (pattern & 127) === 127 ? NaN : null },
  // As IEEE 754 has it: infinities and NaN share the last exponent.
  F8_E5M2: {
    exponentBits: 5,
    fractionBits: 2,
    bias: 15,
    special: (pattern) => (pattern & 124) !== 124 ? null : (pattern & 3) !== 0 ? NaN : pattern < 128 ? Infinity : -Infinity
  },
  // "Finite, NaN, unsigned zero": the pattern of minus zero is the one NaN.
  F8_E4M3FNUZ: { exponentBits: 4, fractionBits: 3, bias: 8, special: (pattern) => pattern === 128 ? NaN : null },
  F8_E5M2FNUZ: { exponentBits: 5, fractionBits: 2, bias: 16, special: (pattern) => pattern === 128 ? NaN : null },
  // E2M1: every pattern is a number, up to 6.
  F4: { exponentBits: 2, fractionBits: 1, bias: 1, special: () => null }
};
function valueOf(pattern, { exponentBits, fractionBits, bias, special }) {
  const known = special(pattern);
  if (known !== null) return known;
  const fraction = pattern & 2 ** fractionBits - 1;
  const exponent = pattern >>> fractionBits & 2 ** exponentBits - 1;
  const magnitude = exponent === 0 ? fraction * 2 ** (1 - bias - fractionBits) : (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
  return pattern >>> exponentBits + fractionBits === 0 ? magnitude : -magnitude;
}
var tables = /* @__PURE__ */ new Map();
function narrowTable(dtype) {
  let table = tables.get(dtype);
  if (table === void 0) {
    table = Float32Array.from({ length: dtype === "F4" ? 16 : 256 }, (_, pattern) => {
      if (dtype === "BOOL") return pattern < 2 ? pattern : NaN;
      if (dtype === "F8_E8M0") return pattern === 255 ? NaN : 2 ** (pattern - 127);
      return valueOf(pattern, FORMS[dtype]);
    });
    tables.set(dtype, table);
  }
  return table;
}
function decodeNarrow(bytes, dtype, tensor = "") {
  if (!isNarrow(dtype)) return null;
  const table = narrowTable(dtype);
  if (dtype === "BOOL") refuseOddBooleans(bytes, tensor);
  if (dtype !== "F4") return Float32Array.from(bytes, (pattern) => table[pattern]);
  const values = new Float32Array(2 * bytes.byteLength);
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i];
    values[2 * i] = table[byte & 15];
    values[2 * i + 1] = table[byte >>> 4];
  }
  return values;
}
function refuseOddBooleans(bytes, tensor) {
  const odd = bytes.findIndex((byte) => byte > 1);
  if (odd === -1) return;
  throw new ModelError(
    "weights_invalid",
    `tensor ${quote(tensor)} is BOOL, but its element ${odd} is the byte ${bytes[odd]}; 0 or 1 was expected. The checkpoint is damaged: save it again.`
  );
}

// src/weights/statistics.ts
var READ_BYTES = 2 * 2 ** 20;
var READS_AHEAD = 3;
var PIECE_VALUES = 2 ** 16;
var FEW_VALUES = 2 ** 15;
async function tensorStatistics(checkpoint, name) {
  const tensor = checkpoint.tensors.get(name);
  const byteLength = tensor?.byteLength ?? 0;
  const collector = collectorFor(tensor?.dtype ?? "F32", name, byteLength);
  const reads = [];
  let at = 0;
  do {
    while (reads.length <= READS_AHEAD && (at < byteLength || at === 0)) {
      const read = checkpoint.read(name, at, Math.min(byteLength, at + READ_BYTES));
      read.catch(() => void 0);
      reads.push(read);
      at += READ_BYTES;
    }
    collector.add(await reads.shift());
  } while (reads.length > 0);
  return collector.result();
}
function statisticsOf(bytes, dtype, tensor = "") {
  const collector = collectorFor(dtype, tensor, bytes.byteLength);
  collector.add(bytes);
  return collector.result();
}
function collectorFor(dtype, name, byteLength) {
  if (isNarrow(dtype)) return narrowCollector(dtype);
  const numeric = numericDtype({ name, dtype });
  if ((numeric === "BF16" || numeric === "F16") && byteLength > 2 * FEW_VALUES) return patternCollector(numeric);
  const totals = startTotals();
  const pieceBytes = PIECE_VALUES * { F64: 8, F32: 4, F16: 2, BF16: 2 }[numeric];
  return {
    add(bytes) {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) addValues(totals, toFloat64(bytes.subarray(at, at + pieceBytes), numeric));
    },
    result: () => finished(totals)
  };
}
function patternCollector(dtype) {
  const histogram = startHistogram();
  return {
    add: (bytes) => histogram.add(bytes),
    result: () => ofCounts(patternValues(dtype), histogram.counts())
  };
}
function narrowCollector(dtype) {
  const table = narrowTable(dtype);
  const bytesSeen = new Float64Array(256);
  return {
    add(bytes) {
      for (let i = 0; i < bytes.byteLength; i++) {
        const byte = bytes[i];
        bytesSeen[byte] = bytesSeen[byte] + 1;
      }
    },
    result() {
      if (dtype !== "F4") return ofCounts(table, bytesSeen);
      const counts = new Float64Array(16);
      for (const [byte, times] of bytesSeen.entries())
        for (const pattern of [byte & 15, byte >>> 4]) counts[pattern] = counts[pattern] + times;
      return ofCounts(table, counts);
    }
  };
}
var patterns = /* @__PURE__ */ new Map();
function patternValues(dtype) {
  let values = patterns.get(dtype);
  if (values === void 0) {
    const all = Uint16Array.from({ length: PATTERNS }, (_, pattern) => pattern);
    values = dtype === "BF16" ? bfloat16ToFloat32(all) : float16ToFloat32(all);
    patterns.set(dtype, values);
  }
  return values;
}
function addTo(sum, term) {
  const next = sum.value + term;
  sum.lost += Math.abs(sum.value) >= Math.abs(term) ? sum.value - next + term : term - next + sum.value;
  sum.value = next;
}
function startTotals() {
  const sum = () => ({ value: 0, lost: 0 });
  return { count: 0, nan: 0, inf: 0, zeros: 0, min: Infinity, max: -Infinity, sum: sum(), squares: sum() };
}
function ofCounts(values, counts) {
  const totals = startTotals();
  for (let i = 0; i < counts.length; i++) {
    const times = counts[i];
    if (times > 0) addTimes(totals, values[i], times);
  }
  return finished(totals);
}
function addTimes(totals, value, times) {
  totals.count += times;
  if (Number.isNaN(value)) totals.nan += times;
  else if (!Number.isFinite(value)) totals.inf += times;
  else {
    if (value === 0) totals.zeros += times;
    totals.min = Math.min(totals.min, value);
    totals.max = Math.max(totals.max, value);
    addTo(totals.sum, times * value);
    addTo(totals.squares, times * (value * value));
  }
}
function addValues(totals, values) {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value !== 0) {
      if (Number.isNaN(value)) totals.nan++;
      else totals.inf++;
      continue;
    }
    if (value === 0) totals.zeros++;
    totals.min = Math.min(totals.min, value);
    totals.max = Math.max(totals.max, value);
    addTo(totals.sum, value);
    addTo(totals.squares, value * value);
  }
  totals.count += values.length;
}
function finished({ count, nan, inf, zeros, min, max, sum, squares }) {
  const finite = count - nan - inf;
  if (finite === 0) return { count, nan, inf, zeros, min: null, max: null, mean: null, rms: null };
  const orNull = (value) => Number.isFinite(value) ? value : null;
  const mean = orNull((sum.value + sum.lost) / finite);
  return { count, nan, inf, zeros, min: min + 0, max: max + 0, mean, rms: orNull(Math.sqrt((squares.value + squares.lost) / finite)) };
}

// src/reference/served-weights.ts
var BLOCK_BYTES = 2 ** 20;
var MIN_STEP = 256;
var READ_AHEAD_BYTES = 8 * 2 ** 20;
function blocksOf(checkpoint, ref) {
  const rows = ref.shape[0] ?? 1;
  const rowBytes = bytesPerRow(checkpoint, ref);
  const count = Math.ceil(rows / Math.max(MIN_STEP, Math.floor(BLOCK_BYTES / rowBytes)));
  const border = (i) => Math.floor(i * rows / count);
  return Array.from({ length: count }, (_, i) => ({ ref, start: border(i), end: border(i + 1) }));
}
function readAhead(checkpoint, blocks) {
  const started = [];
  let next = 0;
  let ahead = 0;
  const start = () => {
    while (next < blocks.length && (started.length === 0 || ahead < READ_AHEAD_BYTES)) {
      const block = blocks[next++];
      const rowBytes = bytesPerRow(checkpoint, block.ref);
      const first = block.ref.rows?.start ?? 0;
      const bytes = checkpoint.read(block.ref.tensor, (first + block.start) * rowBytes, (first + block.end) * rowBytes);
      bytes.catch(() => void 0);
      started.push({ block, bytes, size: (block.end - block.start) * rowBytes });
      ahead += (block.end - block.start) * rowBytes;
    }
  };
  return {
    async next() {
      start();
      const first = started.shift();
      if (first === void 0) throw new Error("read past the last block");
      const bytes = await first.bytes;
      ahead -= first.size;
      start();
      await refuseNonFiniteOnce(checkpoint, first.block, bytes);
      return { block: first.block, bytes };
    },
    skip(count) {
      for (const { size } of started.splice(0, count)) {
        ahead -= size;
        count--;
      }
      next += count;
    }
  };
}
var sound = /* @__PURE__ */ new WeakMap();
async function refuseNonFiniteOnce(checkpoint, { ref, start, end }, bytes) {
  const blocks = sound.get(checkpoint) ?? /* @__PURE__ */ new Set();
  sound.set(checkpoint, blocks);
  const first = ref.rows?.start ?? 0;
  const name = `${ref.tensor} ${first + start} ${first + end}`;
  if (blocks.has(name)) return;
  await refuseNonFinite(checkpoint, ref, bytes);
  blocks.add(name);
}
async function refuseNonFinite(checkpoint, ref, bytes) {
  const { dtype, file } = info(checkpoint, ref);
  if (allFinite(bytes, dtype, ref.tensor)) return;
  const { nan, inf } = await tensorStatistics(checkpoint, ref.tensor);
  throw new ModelError(
    "non_finite_weights",
    `${file}: ${ref.tensor} holds ${nan} NaN and ${inf} infinite values; the checkpoint is damaged or diverged in training`
  );
}
function servedBlock(checkpoint, block, bytes, dtype) {
  const shape = [block.end - block.start, block.ref.shape[1] ?? 1];
  const tensor = info(checkpoint, block.ref);
  const exact = dtype === "float32" || tensor.dtype === "BF16" && dtype === "bfloat16" || tensor.dtype === "F16" && dtype === "float16";
  if (exact && (tensor.dtype === "BF16" || tensor.dtype === "F16")) {
    const data = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    return { form: tensor.dtype === "BF16" ? "bfloat16_bits" : "float16_bits", data, shape };
  }
  return { form: "float32", data: servedValues(tensor, bytes, dtype), shape };
}
function servedValues(tensor, bytes, dtype) {
  const values = toFloat32(bytes, tensor.dtype);
  const served = roundToServing(values, dtype);
  let overflows = 0;
  let largest = 0;
  for (let i = 0; i < served.length; i++) {
    if (served[i] !== Infinity && served[i] !== -Infinity) continue;
    overflows++;
    if (Math.abs(values[i]) > Math.abs(largest)) largest = values[i];
  }
  if (overflows > 0) {
    const held = Number.isFinite(largest) ? `${Number(largest.toPrecision(6))}` : "values beyond float32";
    throw new ModelError(
      "serving_overflow",
      `${tensor.file}: ${tensor.name} holds ${held}, too large for ${dtype}, whose largest finite value is ${limitOf(dtype)}; serve the model ${elsewhere(dtype)}`
    );
  }
  return served;
}
var LARGEST_FINITE = {
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
  float16: 65504,
  float32: (2 - 2 ** -23) * 2 ** 127
};
function limitOf(dtype) {
  const limit = LARGEST_FINITE[dtype];
  return limit < 1e6 ? String(limit) : limit.toExponential(2).replace("e+", "e");
}
function elsewhere(dtype) {
  return dtype === "float16" ? "in bfloat16 or float32" : "in a dtype of a larger range";
}
function roundToServing(values, dtype) {
  if (dtype === "bfloat16") return bfloat16Values(values);
  if (dtype === "float16") return float16ToFloat32(roundToFloat16(values));
  return values;
}
async function wholeWeight(checkpoint, ref, dtype) {
  const { rows } = ref;
  const rowBytes = bytesPerRow(checkpoint, ref);
  const bytes = await (rows === void 0 ? checkpoint.read(ref.tensor) : checkpoint.read(ref.tensor, rows.start * rowBytes, (rows.start + (ref.shape[0] ?? 0)) * rowBytes));
  await refuseNonFinite(checkpoint, ref, bytes);
  return { data: servedValues(info(checkpoint, ref), bytes, dtype), shape: ref.shape };
}
async function embeddingRows(checkpoint, ref, ids, dtype) {
  const tensor = info(checkpoint, ref);
  const width = ref.shape[1] ?? 1;
  const rowBytes = tensor.byteLength / (ref.shape[0] ?? 1);
  const rows = /* @__PURE__ */ new Map();
  for (const id of ids) if (!rows.has(id)) rows.set(id, checkpoint.read(ref.tensor, id * rowBytes, (id + 1) * rowBytes));
  const out = new Float32Array(ids.length * width);
  for (const [t, id] of ids.entries()) {
    const bytes = await rows.get(id);
    await refuseNonFinite(checkpoint, ref, bytes);
    out.set(servedValues(tensor, bytes, dtype), t * width);
  }
  return out;
}
function bytesPerRow(checkpoint, ref) {
  return info(checkpoint, ref).byteLength / (ref.rows?.total ?? ref.shape[0] ?? 1);
}
function info(checkpoint, ref) {
  const tensor = checkpoint.tensors.get(ref.tensor);
  if (tensor === void 0) throw new ModelError("tensor_missing", `${ref.tensor} is not in the checkpoint`);
  return tensor;
}

export {
  toFloat32,
  toFloat64,
  bfloat16ToFloat32,
  bfloat16Bits,
  roundToBfloat16,
  float16ToFloat32,
  roundToFloat16,
  decodeNarrow,
  statisticsOf,
  blocksOf,
  readAhead,
  servedBlock,
  LARGEST_FINITE,
  limitOf,
  elsewhere,
  roundToServing,
  wholeWeight,
  embeddingRows,
  KernelError,
  DeviceLost,
  checkOutputs
};

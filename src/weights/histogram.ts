// How often each of the 65,536 patterns of 16 bits occurs: a WebAssembly function of one loop, put together here. What patterns mean is not known here.
// In JavaScript the same increments run at a third to half of the rate (1.1 against 3 to 4 GB/s): every one of them checks its bounds.

/** Patterns of 16 bits. */
export const PATTERNS = 0x10000;
/** One table of 32-bit counters. Four, used in turn, were measured too: no faster even where all values are the same, and slower to add up. */
const TABLE_BYTES = PATTERNS * 4;
const INPUT_AT = TABLE_BYTES;
const INPUT_BYTES = 2 ** 20;
const PAGE_BYTES = 2 ** 16;
/** The loop takes two words of 64 bits at a time. */
const STEP_BYTES = 16;
/** Fewer than a 32-bit counter can hold. */
const PENDING_LIMIT = 2 ** 31;

/** Instructions by name: https://webassembly.github.io/spec/core/binary/instructions.html */
// prettier-ignore
const OP = {
  loop: 0x03, end: 0x0b, brIf: 0x0d, localGet: 0x20, localSet: 0x21, localTee: 0x22, i32Load: 0x28, i64Load: 0x29, i32Store: 0x36,
  i32Const: 0x41, i64Const: 0x42, i32LessUnsigned: 0x49, i32Add: 0x6a, i32And: 0x71, i32ShiftLeft: 0x74, i32ShiftRightUnsigned: 0x76,
  i64ShiftRightUnsigned: 0x88, i32WrapI64: 0xa7,
};
const I32 = 0x7f;
const I64 = 0x7e;
/** Parameters: first byte, byte after the last; locals: eight bytes, four bytes, address of a counter. */
const [AT, END, WORD, HALF, COUNTER] = [0, 1, 2, 3, 4] as const;

export interface Histogram {
  /** Counts the 16-bit values of `bytes`, of which there is an even number. */
  add(bytes: Uint8Array): void;
  /** How often each pattern occurred, since the start. */
  counts(): Float64Array;
}

interface Engine {
  readonly table: Uint32Array;
  readonly input: Uint8Array;
  readonly count: (start: number, end: number) => void;
}

/** The part of WebAssembly that is used; its types come with those of browsers, which this program does not have. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => {
    readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly count: (start: number, end: number) => void };
  };
};

let engine: Engine | null = null;
/** Whose counts are in the table: emptying it costs as much as counting some hundred kilobytes, so it is done when another histogram comes. */
let owner: { spill(): void } | null = null;

/** A histogram without any values yet. Several can be filled in turn; each is exact up to 2^53 values. */
export function startHistogram(): Histogram {
  const { table, input, count } = (engine ??= startEngine());
  const totals = new Float64Array(PATTERNS);
  let pending = 0;
  const self = {
    spill() {
      drain(table, totals);
      pending = 0;
    },
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
        const whole = piece.byteLength - (piece.byteLength % STEP_BYTES);
        if (whole > 0) count(INPUT_AT, INPUT_AT + whole);
        for (let i = whole; i < piece.byteLength; i += 2) {
          const pattern = (piece[i] as number) | ((piece[i + 1] as number) << 8);
          table[pattern] = (table[pattern] as number) + 1;
        }
      }
    },
    counts() {
      if (owner === self) self.spill();
      return totals.slice();
    },
  };
}

/** Adds the counters to the totals and sets them to zero. Most patterns do not occur in any one tensor. */
function drain(table: Uint32Array, totals: Float64Array): void {
  for (let i = 0; i < PATTERNS; i++) {
    const times = table[i] as number;
    if (times !== 0) totals[i] = (totals[i] as number) + times;
  }
  table.fill(0);
}

function startEngine(): Engine {
  const { memory, count } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
  return {
    table: new Uint32Array(memory.buffer, 0, PATTERNS),
    input: new Uint8Array(memory.buffer, INPUT_AT, INPUT_BYTES),
    count,
  };
}

/** https://webassembly.github.io/spec/core/binary/modules.html: a type, a function, a memory, two exports, code. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: number[]) => [id, ...unsigned(content.length), ...content];
  const name = (text: string) => [text.length, ...Buffer.from(text)];
  const locals = [2, 1, I64, 2, I32];
  const body = [...locals, ...countingLoop(), OP.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned((INPUT_AT + INPUT_BYTES) / PAGE_BYTES)]),
    ...section(7, [2, ...name('memory'), 0x02, 0, ...name('count'), 0x00, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

/** do { count the eight values at AT; AT += 16 } while (AT < END) */
function countingLoop(): number[] {
  const emptyBlock = 0x40;
  return [
    ...[OP.loop, emptyBlock],
    ...countWord(0),
    ...countWord(8),
    ...[OP.localGet, AT, OP.i32Const, ...signed(STEP_BYTES), OP.i32Add, OP.localTee, AT],
    ...[OP.localGet, END, OP.i32LessUnsigned, OP.brIf, 0],
    OP.end,
  ];
}

function countWord(offset: number): number[] {
  return [
    ...[OP.localGet, AT, OP.i64Load, 3, offset, OP.localSet, WORD],
    ...[OP.localGet, WORD, OP.i32WrapI64, OP.localSet, HALF],
    ...countHalf(),
    ...[OP.localGet, WORD, OP.i64Const, ...signed(32), OP.i64ShiftRightUnsigned, OP.i32WrapI64, OP.localSet, HALF],
    ...countHalf(),
  ];
}

/** The two values of HALF, each times 4 as the address of its counter: shifted left by 2, or right by 16 and left by 2. */
function countHalf(): number[] {
  return [...countValue(OP.i32ShiftLeft, 2), ...countValue(OP.i32ShiftRightUnsigned, 14)];
}

function countValue(shift: number, by: number): number[] {
  const place = [2, 0];
  return [
    ...[OP.localGet, HALF, OP.i32Const, ...signed(by), shift, OP.i32Const, ...signed(TABLE_BYTES - 4), OP.i32And, OP.localTee, COUNTER],
    ...[OP.localGet, COUNTER, OP.i32Load, ...place, OP.i32Const, 1, OP.i32Add, OP.i32Store, ...place],
  ];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** Signed LEB128 of a number that is not negative: its last byte must not look like a sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}

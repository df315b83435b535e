// The formats parsed once more, plainly and at once, on other means than the readers': what the fuzz tests compare with.

import onnxProto from 'onnx-proto';

import { DTYPE_BITS } from '../../src/weights/safetensors.js';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const sizes = (value: unknown): number[] | null => (Array.isArray(value) && value.every(isSize) ? value : null);

/** Strict UTF-8 and JSON by the platform's own parsers; undefined when it is neither. */
function parsed(bytes: Uint8Array): { text: string; value: unknown } | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function keysAndTexts(value: unknown): { keys: string[]; texts: string[] } {
  if (typeof value === 'string') return { keys: [], texts: [value] };
  if (typeof value !== 'object' || value === null) return { keys: [], texts: [] };
  const inner = Object.values(value as Json).map(keysAndTexts);
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return { keys: [...own, ...inner.flatMap(({ keys }) => keys)], texts: inner.flatMap(({ texts }) => texts) };
}

/** [name, dtype, shape, bytes in hex] of each tensor in the order of the file's header; null when the file is not valid. */
export function safetensorsOracle(file: Uint8Array): unknown[] | null {
  const bytes = Buffer.from(file);
  if (bytes.byteLength < 8) return null;
  const end = 8n + bytes.readBigUInt64LE();
  if (end > BigInt(bytes.byteLength)) return null;
  const header = parsed(bytes.subarray(8, Number(end)));
  if (header === undefined || !isObject(header.value)) return null;
  const outside = header.text.replace(/"(?:[^"\\]|\\.)*"/g, '');
  const { keys, texts } = keysAndTexts(header.value);
  // A colon for each key that survived: none stood twice. Whole, positive numbers and nothing else besides texts.
  if (outside.split(':').length - 1 !== keys.length || /[^{}[\],:0-9 \t\r\n]/.test(outside)) return null;
  if ([...keys, ...texts].some((text) => /\p{Surrogate}/u.test(text))) return null;
  const data = bytes.subarray(Number(end));
  const owners = data.map(() => 0);
  const found: unknown[] = [];
  const order = inOrderOf(header.text, header.value);
  const empties: number[] = [];
  for (const [name, entry] of order) {
    if (name === '__metadata__') {
      if (!isObject(entry) || Object.values(entry).some((value) => typeof value !== 'string')) return null;
      continue;
    }
    if (!isObject(entry) || Object.keys(entry).sort().join() !== 'data_offsets,dtype,shape') return null;
    const { dtype } = entry;
    const [shape, offsets] = [sizes(entry.shape), sizes(entry.data_offsets)];
    if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype) || shape === null || offsets?.length !== 2) return null;
    const [begin = 0, stop = 0] = offsets;
    const bits = shape.reduce((product, size) => product * BigInt(size), BigInt(DTYPE_BITS[dtype as keyof typeof DTYPE_BITS]));
    if (stop < begin || stop > data.byteLength || bits !== BigInt(stop - begin) * 8n) return null;
    for (let at = begin; at < stop; at++) owners[at] = (owners[at] ?? 0) + 1;
    if (begin === stop) empties.push(begin);
    found.push([name, dtype, shape, data.toString('hex', begin, stop)]);
  }
  if (owners.some((count) => count !== 1)) return null;
  const starts = new Set([0, ...order.flatMap(([, entry]) => (isObject(entry) ? (sizes(entry.data_offsets) ?? []) : []))]);
  const inside = (place: number): boolean =>
    order.some(([, entry]) => {
      const [begin = 0, stop = 0] = (isObject(entry) ? sizes(entry.data_offsets) : null) ?? [];
      return begin < place && place < stop;
    });
  return empties.every((place) => starts.has(place) && !inside(place)) ? found : null;
}

/** Members in the order of the text: JavaScript puts keys that look like numbers first. */
function inOrderOf(text: string, value: Json): [string, unknown][] {
  const order = new Map<string, number>();
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1) order.set(JSON.parse(token) as string, index);
  }
  return Object.entries(value).sort(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}

/** "tensor shard" of each member of weight_map, sorted; null when the index is not valid. */
export function indexOracle(bytes: Uint8Array): string[] | null {
  const index = parsed(bytes)?.value;
  if (!isObject(index) || !isObject(index.weight_map)) return null;
  return Object.entries(index.weight_map)
    .map(([tensor, shard]) => `${tensor} ${String(shard)}`)
    .sort();
}

const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
/** Values and bytes of a block of the types that the fuzz test writes or a flipped bit makes of them. */
const BLOCKS: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 4], 1: [1, 2], 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 9: [32, 36],
  24: [1, 1], 25: [1, 2], 26: [1, 4], 27: [1, 8], 28: [1, 8], 30: [1, 2],
}; // prettier-ignore

/** [name, shape, bytes] of each tensor of a file that the reader accepted. Reading outside the file throws. */
export function ggufOracle(file: Uint8Array): [string, number[], Uint8Array][] {
  const bytes = Buffer.from(file);
  let at = 24;
  const u32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = (): string => {
    const length = u64();
    return bytes.toString('utf8', at, (at += length));
  };
  let alignment = 32;
  for (let left = Number(bytes.readBigUInt64LE(16)); left > 0; left--) {
    const name = text();
    const type = u32();
    if (name === 'general.alignment') alignment = bytes.readUInt32LE(at);
    if (type === 8) text();
    else if (type === 9) {
      const inner = u32();
      const length = u64();
      if (inner === 8) for (let i = 0; i < length; i++) text();
      else at += length * (VALUE_BYTES[inner] ?? NaN);
    } else at += VALUE_BYTES[type] ?? NaN;
  }
  const places: { name: string; shape: number[]; begin: number; length: number }[] = [];
  for (let left = Number(bytes.readBigUInt64LE(8)); left > 0; left--) {
    const name = text();
    const shape = Array.from({ length: u32() }, u64).reverse();
    const [values, size] = BLOCKS[u32()] ?? [NaN, NaN];
    places.push({ name, shape, length: (shape.reduce((product, one) => product * one, 1) / values) * size, begin: u64() });
  }
  const start = Math.ceil(at / alignment) * alignment;
  return places.map(({ name, shape, begin, length }) => {
    if (!(start + begin + length <= bytes.byteLength)) throw new Error(`tensor ${name} leaves the file`);
    return [name, shape, new Uint8Array(bytes.subarray(start + begin, start + begin + length))];
  });
}

/** The initializers, decoded by protobufjs; everything around them is passed over by the length that it states. Reading outside the file throws. */
export function onnxOracle(file: Uint8Array): InstanceType<typeof onnxProto.onnx.TensorProto>[] {
  return lengthDelimited(file, 7).flatMap((graph) => lengthDelimited(graph, 5).map((tensor) => onnxProto.onnx.TensorProto.decode(tensor)));
}

/** The contents of each field of that number. */
function lengthDelimited(message: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined || shift > 63n) throw new Error('a varint has no end');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.byteLength) {
    const tag = varint();
    const wire = Number(tag & 7n);
    if (wire === 0) varint();
    else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4;
    else if (wire === 2) {
      const length = Number(varint());
      if (tag >> 3n === BigInt(wanted)) found.push(message.subarray(at, at + length));
      at += length;
    } else throw new Error(`wire type ${wire}`);
    if (at > message.byteLength) throw new Error('a field leaves the message');
  }
  return found;
}

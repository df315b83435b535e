// The initializers of an ONNX model: where in the file, or in which external file, each tensor's bytes are. The graph's nodes are passed over.
// Fields by number: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3. Walked as a stream, since inline weights can be 2 GB.

import { ModelError } from '../errors.js';
import { fileNameProblem, quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { ByteStream } from './byte-stream.js';
import { startStream } from './byte-stream.js';
import type { TensorDtype, TensorInfo } from './checkpoint.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import { readBytes, readVarint, scanFields } from './protobuf-stream.js';
import type { WeightFile } from './weight-file.js';

/** Protobuf's own limit; ONNX Runtime refuses larger files too. */
export const ONNX_LIMIT = 2 ** 31 - 1;
const TENSORS_LIMIT = 1_000_000;
const DIMENSIONS_LIMIT = 64;
const NAME_BYTES = 65_535;
const ENTRY_BYTES = 4096;
const EXTERNAL_KEYS = ['location', 'offset', 'length', 'checksum', 'basepath'];
/** Values that are stored as varints are read at once, so not for whole matrices. */
const VARINT_BYTES = 64 * 1024 * 1024;

/** Sub-byte integers of ONNX and what has no fixed size. */
export type OnnxDtype = 'U4' | 'I4' | 'U2' | 'I2' | 'C128' | 'STRING';

/** TensorProto.DataType by number, with bits. */
const DATA_TYPES: ReadonlyMap<number, readonly [TensorDtype, number]> = new Map<number, readonly [TensorDtype, number]>([
  [1, ['F32', 32]],
  [2, ['U8', 8]],
  [3, ['I8', 8]],
  [4, ['U16', 16]],
  [5, ['I16', 16]],
  [6, ['I32', 32]],
  [7, ['I64', 64]],
  [8, ['STRING', 0]],
  [9, ['BOOL', 8]],
  [10, ['F16', 16]],
  [11, ['F64', 64]],
  [12, ['U32', 32]],
  [13, ['U64', 64]],
  [14, ['C64', 64]],
  [15, ['C128', 128]],
  [16, ['BF16', 16]],
  [17, ['F8_E4M3', 8]],
  [18, ['F8_E4M3FNUZ', 8]],
  [19, ['F8_E5M2', 8]],
  [20, ['F8_E5M2FNUZ', 8]],
  [21, ['U4', 4]],
  [22, ['I4', 4]],
  [23, ['F4', 4]],
  [24, ['F8_E8M0', 8]],
  [25, ['U2', 2]],
  [26, ['I2', 2]],
]);

/** Value fields of TensorProto besides raw_data; only float_data and double_data hold the values as they are in memory. */
const VALUE_FIELDS: ReadonlyMap<number, string> = new Map([
  [4, 'float_data'],
  [5, 'int32_data'],
  [6, 'string_data'],
  [7, 'int64_data'],
  [9, 'raw_data'],
  [10, 'double_data'],
  [11, 'uint64_data'],
]);
const RAW_DATA = 9;
const INT32_DATA = 5;
/** Types whose values have a field of their own; those of all other types stand in int32_data. https://onnx.ai/onnx/api/classes.html#tensorproto */
const OWN_FIELDS: Partial<Record<TensorDtype, number>> = { F32: 4, C64: 4, F64: 10, C128: 10, I64: 7, U32: 11, U64: 11 };

interface Range {
  readonly start: number;
  readonly length: number;
}

interface Initializer {
  readonly at: number;
  name: string;
  dims: number[];
  type: number;
  external: boolean;
  readonly entries: Map<string, string>;
  /** The field that holds the values, and where; several ranges when it is not packed. */
  field: number | null;
  readonly ranges: Range[];
}

/** A tensor and where it is: plain bytes, varints of `width`-byte values, or nowhere with the reason. */
interface Placed extends TensorInfo {
  readonly begin: number;
  readonly varints?: { readonly length: number; readonly width: number };
  readonly unreadable?: string;
}

/**
 * Opens an ONNX model and the external files that its initializers name.
 * @param open opens a file of the model; `null` when there is none. The caller closes what it opened.
 * @throws ModelError `weights_invalid`, `tensor_missing` when an external file is not there
 */
export async function openOnnx(name: string, open: (name: string) => Promise<ByteSource | null>): Promise<WeightFile[]> {
  const source = await open(name);
  if (source === null) throw new ModelError('tensor_missing', `${quote(name)} is missing from the model.`);
  const initializers = await readInitializers(source);
  const folder = name.includes('/') ? name.slice(0, name.lastIndexOf('/') + 1) : '';
  const inline = new Map<string, Placed>();
  const externals = new Map<string, { source: ByteSource; tensors: Map<string, Placed> }>();
  for (const initializer of initializers.values()) {
    const fault = (problem: string) => invalid(source.name, `initializer ${quote(initializer.name)}: ${problem} (byte ${initializer.at}).`);
    if (!initializer.external) {
      inline.set(initializer.name, placeInline(initializer, source.name, fault));
      continue;
    }
    const { location, offset, length } = externalPlace(initializer, fault);
    let file = externals.get(location);
    if (file === undefined) {
      const opened = await open(folder + location);
      if (opened === null) {
        throw new ModelError(
          'tensor_missing',
          `${source.name}: external data ${quote(location)} is missing. Download it too, into the same folder.`,
        );
      }
      file = { source: opened, tensors: new Map() };
      externals.set(location, file);
    }
    file.tensors.set(initializer.name, placeExternal(initializer, { source: file.source, offset, length }, fault));
  }
  return [{ source, tensors: inline }, ...externals.values()].map((file) => ({ ...file, read: reader(file.source, file.tensors) }));
}

async function readInitializers(source: ByteSource): Promise<Map<string, Initializer>> {
  const { name, byteLength } = source;
  if (byteLength > ONNX_LIMIT)
    throw invalid(name, `${byteLength} bytes; an ONNX file has at most ${ONNX_LIMIT}: its weights must be external.`);
  const start = await source.slice(0, Math.min(FOREIGN_BYTES, byteLength));
  const foreign = describeForeign(start)?.replaceAll('not safetensors', 'not ONNX');
  if (foreign !== undefined) throw invalid(name, `${foreign}.`);
  const stream = startStream(source, (at, problem) =>
    invalid(name, `${problem} (byte ${at}): not an ONNX file, or damaged. Download it again.`),
  );
  const found = new Map<string, Initializer>();
  let graphs = 0;
  await scanFields(stream, byteLength, 'the model', async (field, wire, end) => {
    if (field !== 7 || wire !== 2) return false;
    graphs++;
    if (graphs > 1) throw stream.fault(end, 'the model has two graphs');
    await scanFields(stream, end, 'the graph', async (inner, innerWire, innerEnd) => {
      if (inner !== 5 || innerWire !== 2) return false;
      const initializer = await readInitializer(stream, innerEnd);
      if (initializer.name === '') throw stream.fault(initializer.at, 'an initializer has no name');
      if (found.has(initializer.name))
        throw stream.fault(initializer.at, `initializer ${quote(initializer.name)} stands in the graph twice`);
      if (found.size === TENSORS_LIMIT) throw stream.fault(initializer.at, `more than ${TENSORS_LIMIT} initializers`);
      found.set(initializer.name, initializer);
      return true;
    });
    return true;
  });
  if (graphs === 0) throw invalid(name, 'has no graph: not an ONNX model, or cut. Download it again.');
  return found;
}

async function readInitializer(stream: ByteStream, end: number): Promise<Initializer> {
  const at = stream.windowStart + stream.at;
  const found: Initializer = { at, name: '', dims: [], type: 0, external: false, entries: new Map(), field: null, ranges: [] };
  await scanFields(stream, end, 'an initializer', async (field, wire, fieldEnd) => {
    const here = stream.windowStart + stream.at;
    if (VALUE_FIELDS.has(field)) {
      if (found.field !== null && (found.field !== field || field === RAW_DATA)) {
        const both = found.field === field ? 'raw_data twice' : `both ${VALUE_FIELDS.get(found.field)} and ${VALUE_FIELDS.get(field)}`;
        throw stream.fault(here, `initializer ${quote(found.name)} has ${both}`);
      }
      found.field = field;
      // Values one by one are not kept: two ranges already say that they are not in one piece.
      if (found.ranges.length < 2) found.ranges.push({ start: here, length: wire === 2 ? fieldEnd - here : NaN });
      return false;
    }
    if (field === 1 && wire === 0) found.dims.push(dimension(stream, await readVarint(stream, 'a dimension')));
    else if (field === 1 && wire === 2)
      while (stream.windowStart + stream.at < fieldEnd) found.dims.push(dimension(stream, await readVarint(stream, 'a dimension')));
    else if (field === 2 && wire === 0) found.type = Number(await readVarint(stream, 'the data type'));
    else if (field === 8 && wire === 2) found.name = await readText(stream, fieldEnd, 'the name of an initializer', NAME_BYTES);
    else if (field === 13 && wire === 2) await readEntry(stream, fieldEnd, found.entries);
    else if (field === 14 && wire === 0) found.external = (await readVarint(stream, 'data_location')) === 1n;
    else return false;
    if (found.dims.length > DIMENSIONS_LIMIT) throw stream.fault(here, `an initializer has more than ${DIMENSIONS_LIMIT} dimensions`);
    return true;
  });
  return found;
}

function dimension(stream: ByteStream, value: bigint): number {
  const signed = BigInt.asIntN(64, value);
  if (signed < 0n) throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}`);
  if (signed > BigInt(Number.MAX_SAFE_INTEGER))
    throw stream.fault(stream.windowStart + stream.at, `an initializer has the dimension ${signed}: it overflows`);
  return Number(signed);
}

async function readText(stream: ByteStream, end: number, what: string, limit: number): Promise<string> {
  const at = stream.windowStart + stream.at;
  if (end - at > limit) throw stream.fault(at, `${what} is ${end - at} bytes long; the limit is ${limit}`);
  const bytes = await readBytes(stream, end - at, what);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw stream.fault(at, `${what} is not valid UTF-8`);
  }
}

async function readEntry(stream: ByteStream, end: number, entries: Map<string, string>): Promise<void> {
  const at = stream.windowStart + stream.at;
  let key = '';
  let value = '';
  await scanFields(stream, end, 'an entry of external_data', async (field, wire, fieldEnd) => {
    if (wire !== 2 || (field !== 1 && field !== 2)) return false;
    const text = await readText(stream, fieldEnd, 'external_data', ENTRY_BYTES);
    if (field === 1) key = text;
    else value = text;
    return true;
  });
  if (!EXTERNAL_KEYS.includes(key))
    throw stream.fault(at, `external_data has the key ${quote(key)}; known are ${EXTERNAL_KEYS.join(', ')}`);
  if (entries.has(key)) throw stream.fault(at, `external_data has the key ${quote(key)} twice`);
  entries.set(key, value);
}

type Fault = (problem: string) => Error;

function describe(
  { name, dims, type }: Initializer,
  file: string,
  fault: Fault,
): TensorInfo & { readonly bits: number; readonly elements: number } {
  const known = DATA_TYPES.get(type);
  if (known === undefined) throw fault(`unknown data type ${type}`);
  const [dtype, bits] = known;
  const elements = dims.reduce((product, size) => product * size, 1);
  // Rounding is monotonic: a product that is at most 2^53 - 1 was exact on the way.
  if (elements * Math.max(bits, 8) > Number.MAX_SAFE_INTEGER) throw fault(`the size of shape [${dims.join(',')}] overflows`);
  return { name, dtype, shape: dims, byteLength: Math.ceil((elements * bits) / 8), file, bits, elements };
}

function placeInline(initializer: Initializer, file: string, fault: Fault): Placed {
  if (initializer.entries.size > 0) throw fault('has external_data, but is not said to be external');
  const { bits, elements, ...tensor } = describe(initializer, file, fault);
  const { field, ranges } = initializer;
  const [range] = ranges;
  if (tensor.dtype === 'STRING') return { ...tensor, begin: 0, unreadable: 'holds texts' };
  if (field === null || range === undefined) {
    if (elements > 0) throw fault(`has no values; ${elements} were expected`);
    return { ...tensor, begin: 0 };
  }
  if (field !== RAW_DATA && field !== (OWN_FIELDS[tensor.dtype] ?? INT32_DATA))
    throw fault(`its values are ${tensor.dtype}, which do not stand in ${VALUE_FIELDS.get(field)}`);
  const packed = ranges.length === 1 && !Number.isNaN(range.length);
  const plain = field === RAW_DATA || (field === 4 && bits === 32) || (field === 10 && bits === 64);
  if (packed && plain) {
    if (range.length !== tensor.byteLength)
      throw fault(`${tensor.dtype} of shape [${tensor.shape.join(',')}] needs ${tensor.byteLength} bytes, ${range.length} are there`);
    return { ...tensor, begin: range.start };
  }
  if (packed && field === INT32_DATA && bits >= 8 && range.length <= VARINT_BYTES) {
    // A varint has at least one byte: what is claimed beyond that must not be allocated.
    if (elements > range.length) throw fault(`int32_data does not hold ${elements} values`);
    return { ...tensor, begin: range.start, varints: { length: range.length, width: bits / 8 } };
  }
  return {
    ...tensor,
    begin: 0,
    unreadable: `keeps its values in ${VALUE_FIELDS.get(field)}, not in one piece: save the model with raw_data`,
  };
}

function externalPlace({ entries, field }: Initializer, fault: Fault): { location: string; offset: number; length: number | null } {
  const stated = entries.get('location');
  if (stated === undefined) throw fault('is external, but names no location');
  if (field !== null) throw fault(`has both external data and ${VALUE_FIELDS.get(field)}`);
  const location = stated.replace(/^\.\//, '');
  const problem = fileNameProblem(location);
  if (problem !== null) throw fault(`its external file ${quote(stated)} ${problem}: refused`);
  const number = (key: string): number | null => {
    const text = entries.get(key);
    if (text === undefined) return null;
    if (!/^\d{1,15}$/.test(text)) throw fault(`external_data has ${key} ${quote(text)}; a whole number of bytes was expected`);
    return Number(text);
  };
  return { location, offset: number('offset') ?? 0, length: number('length') };
}

function placeExternal(
  initializer: Initializer,
  place: { source: ByteSource; offset: number; length: number | null },
  fault: Fault,
): Placed {
  const { source, offset, length } = place;
  const { dtype, name, shape, byteLength } = describe(initializer, source.name, fault);
  if (dtype === 'STRING') throw fault('holds texts, which cannot be external');
  if (length !== null && length !== byteLength) {
    throw fault(`${dtype} of shape [${shape.join(',')}] needs ${byteLength} bytes, external_data has length ${length}`);
  }
  if (offset + byteLength > source.byteLength) {
    throw fault(
      `needs bytes ${offset} to ${offset + byteLength} of ${source.name}, which has ${source.byteLength}: file cut? Download it again`,
    );
  }
  return { name, dtype, shape, byteLength, file: source.name, begin: offset };
}

function reader(source: ByteSource, tensors: ReadonlyMap<string, Placed>): WeightFile['read'] {
  return async ({ name }, start, end) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new RangeError(`no tensor ${quote(name)}`);
    if (tensor.unreadable !== undefined) throw invalid(source.name, `initializer ${quote(name)} ${tensor.unreadable}.`);
    if (tensor.varints === undefined) return source.slice(tensor.begin + start, tensor.begin + end);
    const packed = await source.slice(tensor.begin, tensor.begin + tensor.varints.length);
    const values = unpack(packed, tensor.byteLength, tensor.varints.width);
    if (values === null)
      throw invalid(
        source.name,
        `initializer ${quote(name)}: int32_data does not hold ${tensor.byteLength / tensor.varints.width} values.`,
      );
    return values.slice(start, end);
  };
}

/** int32_data: the low bytes of each varint; null when there are too few or too many. */
function unpack(packed: Uint8Array, byteLength: number, width: number): Uint8Array | null {
  const values = new Uint8Array(byteLength);
  let at = 0;
  let word = 0;
  let shift = 0;
  for (const byte of packed) {
    if (shift < 32) word |= (byte & 0x7f) << shift;
    shift += 7;
    if ((byte & 0x80) !== 0) {
      if (shift >= 70) return null;
      continue;
    }
    if (at + width > byteLength) return null;
    for (let i = 0; i < width; i++) values[at++] = (word >>> (8 * i)) & 255;
    word = 0;
    shift = 0;
  }
  return at === byteLength && shift === 0 ? values : null;
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}

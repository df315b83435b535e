// Walking through an ONNX file to its initializers: what the graph says of each and at which bytes its values are. Whether that makes sense is not known here.
// Fields by number: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3. Walked as a stream, since inline weights can be 2 GB.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { ByteStream } from './byte-stream.js';
import { startStream } from './byte-stream.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import { readBytes, readVarint, scanFields } from './protobuf-stream.js';

/** Protobuf's own limit; ONNX Runtime refuses larger files too. */
export const ONNX_LIMIT = 2 ** 31 - 1;
const TENSORS_LIMIT = 1_000_000;
const DIMENSIONS_LIMIT = 64;
const NAME_BYTES = 65_535;
const ENTRY_BYTES = 4096;
const EXTERNAL_KEYS = ['location', 'offset', 'length', 'checksum', 'basepath'];

/** Value fields of TensorProto besides raw_data; only float_data and double_data hold the values as they are in memory. */
export const VALUE_FIELDS: ReadonlyMap<number, string> = new Map([
  [4, 'float_data'],
  [5, 'int32_data'],
  [6, 'string_data'],
  [7, 'int64_data'],
  [9, 'raw_data'],
  [10, 'double_data'],
  [11, 'uint64_data'],
]);
export const RAW_DATA = 9;
export const INT32_DATA = 5;

interface Range {
  readonly start: number;
  readonly length: number;
}

export interface Initializer {
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

/**
 * The initializers of a file by name, in its order; its nodes are passed over.
 * @throws ModelError `weights_invalid`
 */
export async function readInitializers(source: ByteSource): Promise<Map<string, Initializer>> {
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

/** What is wrong with a file of weights. */
export function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}

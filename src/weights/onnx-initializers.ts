// The initializers of an ONNX model as tensors: where in the file, or in which external file, the bytes of each are, and reading them.
// What the graph says of them is read in onnx-graph.ts.

import { ModelError } from '../errors.js';
import { fileNameProblem, quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { TensorDtype, TensorInfo } from './checkpoint.js';
import type { Initializer } from './onnx-graph.js';
import { INT32_DATA, invalid, RAW_DATA, readInitializers, VALUE_FIELDS } from './onnx-graph.js';
import type { WeightFile } from './weight-file.js';

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

/** Types whose values have a field of their own; those of all other types stand in int32_data. https://onnx.ai/onnx/api/classes.html#tensorproto */
const OWN_FIELDS: Partial<Record<TensorDtype, number>> = { F32: 4, C64: 4, F64: 10, C128: 10, I64: 7, U32: 11, U64: 11 };

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

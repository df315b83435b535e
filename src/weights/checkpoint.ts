// What a checkpoint holds: named tensors, read lazily by range. Formats (safetensors ...) live in their own files.

import { ModelError } from '../errors.js';
import { printable, quote } from '../hub/names.js';
import type { ByteSource, ModelFiles } from '../hub/source.js';
import type { SafetensorsFile, StoredTensor } from './safetensors.js';
import { readSafetensors } from './safetensors.js';
import { readShards } from './shards.js';

/** The 22 dtypes of the safetensors format, named as the format names them. */
// prettier-ignore
export type Dtype =
  | 'BOOL' | 'F4' | 'F6_E2M3' | 'F6_E3M2' | 'U8' | 'I8' | 'F8_E5M2' | 'F8_E4M3' | 'F8_E8M0' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ'
  | 'I16' | 'U16' | 'F16' | 'BF16' | 'I32' | 'U32' | 'F32' | 'C64' | 'F64' | 'I64' | 'U64';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  /** Row-major, as in PyTorch: a linear weight is [out_features, in_features]. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** File the tensor is in, for messages. */
  readonly file: string;
}

export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of all weight files, headers included. */
  readonly byteLength: number;
  /** Bytes read from weight files so far, headers included. */
  readonly bytesRead: number;
  /**
   * Raw little-endian bytes of a tensor, or of `[start, end)` within it. Freshly allocated and aligned for typed-array views of the tensor's dtype.
   * @throws ModelError `tensor_missing`, or `weights_invalid` when the file was cut or changed since it was opened
   */
  read(name: string, start?: number, end?: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** Weight formats that a model folder may hold instead, so that the message can name what was seen. */
const OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pdparams)$/i;
const ADAPTER = /^adapter_.*\.safetensors$/;

/**
 * Opens a model's weights and reads their headers: `model.safetensors`, else what `model.safetensors.index.json` names, else the one
 * `*.safetensors` there is.
 * @throws ModelError `tensor_missing` when there are no weights, `weights_invalid` when they are not as their format or index says
 */
export async function openCheckpoint(files: ModelFiles): Promise<Checkpoint> {
  const sources: ByteSource[] = [];
  const tally = { bytes: 0 };
  const open = async (name: string): Promise<SafetensorsFile | null> => {
    const source = await files.open(name);
    if (source === null) return null;
    sources.push(source);
    return readSafetensors(counted(source, tally));
  };
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    return checkpointOf(await openWeights(files, open), tally, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openWeights(files: ModelFiles, open: (name: string) => Promise<SafetensorsFile | null>): Promise<SafetensorsFile[]> {
  const single = await open(SINGLE);
  if (single !== null) return [single];
  const index = await files.open(INDEX);
  if (index !== null) {
    try {
      return await readShards(index, open);
    } finally {
      await index.close();
    }
  }
  const names = await files.list();
  const only = await open(onlyCandidate(names));
  if (only === null) throw new ModelError('weights_invalid', `The weights of the model went away while it was opened.`);
  return [only];
}

function onlyCandidate(names: readonly string[]): string {
  const candidates = names.filter((name) => name.endsWith('.safetensors') && !ADAPTER.test(name));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  if (only !== undefined) {
    const found = `Found ${candidates.length} safetensors files (${listed(candidates)}) but neither ${SINGLE} nor ${INDEX}`;
    throw new ModelError('weights_invalid', `${found}, which says which tensor is where. Download the index too.`);
  }
  const supported = `This version reads safetensors: ${SINGLE}, or ${INDEX} with its shards.`;
  if (names.some((name) => ADAPTER.test(name))) {
    throw new ModelError(
      'tensor_missing',
      `Found an adapter (${listed(names.filter((name) => ADAPTER.test(name)))}) but no model. Merge it into its base model first. ${supported}`,
    );
  }
  const others = names.filter((name) => OTHER_WEIGHTS.test(name));
  if (others.length > 0)
    throw new ModelError(
      'tensor_missing',
      `Found weights only as ${listed(others)}. ${supported} Convert them or get the safetensors version.`,
    );
  const found = names.length === 0 ? 'The folder has no files' : `Found no weights, only ${listed(names)}`;
  throw new ModelError('tensor_missing', `${found}. ${supported}`);
}

function listed(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  return `${names
    .slice(0, 10)
    .map((name) => printable(name))
    .join(', ')}${more}`;
}

/** The same source, each read added to the tally. */
function counted(source: ByteSource, tally: { bytes: number }): ByteSource {
  return {
    name: source.name,
    byteLength: source.byteLength,
    async slice(start, end) {
      const bytes = await source.slice(start, end);
      tally.bytes += bytes.byteLength;
      return bytes;
    },
    close: () => source.close(),
  };
}

function checkpointOf(opened: readonly SafetensorsFile[], tally: { readonly bytes: number }, close: () => Promise<void>): Checkpoint {
  const tensors = mergeTensors(opened);
  return {
    tensors,
    byteLength: opened.reduce((sum, file) => sum + file.source.byteLength, 0),
    get bytesRead() {
      return tally.bytes;
    },
    async read(name, start, end) {
      const tensor = tensors.get(name);
      // By tensor, not by file name: names in messages are cut, and two long ones may look the same.
      const file = opened.find((candidate) => candidate.tensors.has(name));
      if (tensor === undefined || file === undefined) {
        throw new ModelError(
          'tensor_missing',
          `Tensor ${quote(name)} is not among the ${tensors.size} tensors of ${listed(opened.map(({ source }) => source.name))}.`,
        );
      }
      const from = start ?? 0;
      const to = end ?? tensor.byteLength;
      if (!(from >= 0 && from <= to && to <= tensor.byteLength)) {
        throw new RangeError(`bytes ${from} to ${to} of tensor ${quote(name)}, which has ${tensor.byteLength}`);
      }
      const first = file.dataStart + tensor.begin;
      return file.source.slice(first + from, first + to);
    },
    close,
  };
}

function mergeTensors(opened: readonly SafetensorsFile[]): ReadonlyMap<string, StoredTensor> {
  const [only] = opened;
  if (only !== undefined && opened.length === 1) return only.tensors;
  return new Map(opened.flatMap((file) => [...file.tensors]));
}

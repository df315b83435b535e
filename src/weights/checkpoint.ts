// What a checkpoint holds: named tensors, read lazily by range. Formats (safetensors ...) live in their own files.

import { ModelError } from '../errors.js';
import { printable, quote } from '../hub/names.js';
import type { ByteSource, ModelFiles } from '../hub/source.js';
import type { BlockDtype } from './ggml-types.js';
import { onlyGguf, openGguf } from './gguf-model.js';
import type { OnnxDtype } from './onnx-initializers.js';
import { openOnnx } from './onnx-initializers.js';
import { readSafetensors } from './safetensors.js';
import { readShards } from './shards.js';
import { readTorch } from './torch.js';
import { ADAPTER, holdsSafetensors, INDEX, SINGLE, TORCH_INDEX, TORCH_SINGLE } from './usual-names.js';
import type { WeightFile } from './weight-file.js';

/** The 22 dtypes of the safetensors format, named as the format names them. */
// prettier-ignore
export type Dtype =
  | 'BOOL' | 'F4' | 'F6_E2M3' | 'F6_E3M2' | 'U8' | 'I8' | 'F8_E5M2' | 'F8_E4M3' | 'F8_E8M0' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ'
  | 'I16' | 'U16' | 'F16' | 'BF16' | 'I32' | 'U32' | 'F32' | 'C64' | 'F64' | 'I64' | 'U64';

/** Dtypes of the other formats too: blocks of quantised values, sub-byte integers. */
export type TensorDtype = Dtype | BlockDtype | OnnxDtype;

export type Format = 'safetensors' | 'torch' | 'gguf' | 'onnx';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: TensorDtype;
  /** Row-major, as in PyTorch: a linear weight is [out_features, in_features]. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** File the tensor is in, for messages. */
  readonly file: string;
}

export interface Checkpoint {
  readonly format: Format;
  /** What config.json would say, where the weights say it themselves (GGUF); null where config.json is needed. */
  readonly config: Record<string, unknown> | null;
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
  /** What `read` gives is kept and given again. */
  readonly keeps?: boolean;
  close(): Promise<void>;
}

/** A checkpoint of one or more files, as `openCheckpoint` gives it. */
export interface FiledCheckpoint extends Checkpoint {
  /** By their names, as in `TensorInfo.file`. */
  readonly files: ReadonlyMap<string, WeightFile>;
}

/** Weight formats that a model folder may hold instead, so that the message can name what was seen. */
const OTHER_WEIGHTS = /\.(?:bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|npz|pdparams)$/i;
const SUPPORTED = `This version reads safetensors (${SINGLE}, or ${INDEX} with its shards), PyTorch (${TORCH_SINGLE}, or ${TORCH_INDEX} with its shards), GGUF and ONNX.`;

interface Opened {
  readonly format: Format;
  readonly config: Record<string, unknown> | null;
  readonly files: readonly WeightFile[];
}

type Open = (name: string) => Promise<ByteSource | null>;

/**
 * Opens a model's weights and reads their headers: the file that the user named, else `model.safetensors`, else what
 * `model.safetensors.index.json` names, else the one `*.safetensors` there is, else the same of PyTorch, else the one GGUF or ONNX model.
 * @throws ModelError `tensor_missing` when there are no weights, `weights_invalid` when they are not as their format or index says
 */
export async function openCheckpoint(files: ModelFiles): Promise<FiledCheckpoint> {
  const sources: ByteSource[] = [];
  const tally = { bytes: 0 };
  const open: Open = async (name) => {
    const source = await files.open(name);
    if (source === null) return null;
    sources.push(source);
    return counted(source, tally);
  };
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    return checkpointOf(files.main === undefined ? await openFound(files, open) : await openNamed(files.main, open), tally, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openNamed(name: string, open: Open): Promise<Opened> {
  if (name.endsWith('.gguf')) return { format: 'gguf', ...(await openGguf(name, open)) };
  if (name.endsWith('.onnx')) return { format: 'onnx', config: null, files: await openOnnx(name, open) };
  if (/\.(?:bin|pt|pth)$/.test(name)) return torch([present(name, await openTorch(name, open))]);
  if (name.endsWith('.safetensors')) return safetensors([present(name, await openSafetensors(name, open))]);
  throw new ModelError('weights_invalid', `${printable(name)}: not a file of weights by its name. ${SUPPORTED}`);
}

async function openFound(files: ModelFiles, open: Open): Promise<Opened> {
  const single = await openSafetensors(SINGLE, open);
  if (single !== null) return safetensors([single]);
  const shards = await openShards(files, INDEX, (name) => openSafetensors(name, open));
  if (shards !== null) return safetensors(shards);
  const names = await files.list();
  if (!holdsSafetensors(names)) {
    if (names.includes(TORCH_SINGLE)) return openNamed(TORCH_SINGLE, open);
    const torchShards = await openShards(files, TORCH_INDEX, (name) => openTorch(name, open));
    if (torchShards !== null) return torch(torchShards);
    const gguf = onlyGguf(names);
    if (gguf !== null) return openNamed(gguf, open);
    const onnx = onlyOnnx(names);
    if (onnx !== null) return openNamed(onnx, open);
  }
  const only = onlyCandidate(names);
  return safetensors([present(only, await openSafetensors(only, open))]);
}

/** The shards of an index; null when there is no index. */
async function openShards(
  files: ModelFiles,
  name: string,
  open: (name: string) => Promise<WeightFile | null>,
): Promise<WeightFile[] | null> {
  const index = await files.open(name);
  if (index === null) return null;
  try {
    return await readShards(index, open);
  } finally {
    await index.close();
  }
}

async function openTorch(name: string, open: Open): Promise<WeightFile | null> {
  const source = await open(name);
  return source === null ? null : readTorch(source);
}

function torch(files: readonly WeightFile[]): Opened {
  return { format: 'torch', config: null, files };
}

function onlyOnnx(names: readonly string[]): string | null {
  const found = names.filter((name) => name.endsWith('.onnx'));
  if (found.length <= 1) return found[0] ?? null;
  throw new ModelError(
    'weights_invalid',
    `Found ${found.length} ONNX files (${listed(found)}). Name the one file that is meant, not the folder; on the Hub as org/name/file.onnx.`,
  );
}

async function openSafetensors(name: string, open: Open): Promise<WeightFile | null> {
  const source = await open(name);
  return source === null ? null : readSafetensors(source);
}

function safetensors(files: readonly WeightFile[]): Opened {
  return { format: 'safetensors', config: null, files };
}

function present(name: string, file: WeightFile | null): WeightFile {
  if (file === null) throw new ModelError('weights_invalid', `${printable(name)}: the file went away while the model was opened.`);
  return file;
}

function onlyCandidate(names: readonly string[]): string {
  const candidates = names.filter((name) => name.endsWith('.safetensors') && !ADAPTER.test(name));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  if (only !== undefined) {
    const found = `Found ${candidates.length} safetensors files (${listed(candidates)}) but neither ${SINGLE} nor ${INDEX}`;
    throw new ModelError('weights_invalid', `${found}, which says which tensor is where. Download the index too.`);
  }
  if (names.some((name) => ADAPTER.test(name))) {
    throw new ModelError(
      'tensor_missing',
      `Found an adapter (${listed(names.filter((name) => ADAPTER.test(name)))}) but no model. Merge it into its base model first. ${SUPPORTED}`,
    );
  }
  const others = names.filter((name) => OTHER_WEIGHTS.test(name));
  if (others.length > 0)
    throw new ModelError(
      'tensor_missing',
      `Found weights only as ${listed(others)}. ${SUPPORTED} Convert them or get the safetensors version.`,
    );
  const found = names.length === 0 ? 'The folder has no files' : `Found no weights, only ${listed(names)}`;
  throw new ModelError('tensor_missing', `${found}. ${SUPPORTED}`);
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

function checkpointOf({ format, config, files }: Opened, tally: { readonly bytes: number }, close: () => Promise<void>): FiledCheckpoint {
  const owners = new Map(files.flatMap((file) => [...file.tensors.keys()].map((name) => [name, file] as const)));
  const [only] = files;
  const tensors = only !== undefined && files.length === 1 ? only.tensors : new Map(files.flatMap((file) => [...file.tensors]));
  return {
    format,
    config,
    tensors,
    files: new Map(files.map((file) => [file.source.name, file])),
    byteLength: files.reduce((sum, file) => sum + file.source.byteLength, 0),
    get bytesRead() {
      return tally.bytes;
    },
    async read(name, start, end) {
      const tensor = tensors.get(name);
      const file = owners.get(name);
      if (tensor === undefined || file === undefined) {
        throw new ModelError(
          'tensor_missing',
          `Tensor ${quote(name)} is not among the ${tensors.size} tensors of ${listed(files.map(({ source }) => source.name))}.`,
        );
      }
      const from = start ?? 0;
      const to = end ?? tensor.byteLength;
      if (!(from >= 0 && from <= to && to <= tensor.byteLength)) {
        throw new RangeError(`bytes ${from} to ${to} of tensor ${quote(name)}, which has ${tensor.byteLength}`);
      }
      return file.read(tensor, from, to);
    },
    close,
  };
}

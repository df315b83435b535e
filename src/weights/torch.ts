// PyTorch checkpoints (pytorch_model.bin, .pt, .pth) as torch.save writes them since 1.6: a zip archive with a pickle and one entry per storage.

import { crc32 } from 'node:zlib';

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { TensorDtype, TensorInfo } from './checkpoint.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import type { Dict, TorchTensor, Value } from './torch-pickle.js';
import { readPickle } from './torch-pickle.js';
import type { ZipEntry } from './torch-zip.js';
import { dataStart, readZip } from './torch-zip.js';
import type { WeightFile } from './weight-file.js';

export const PICKLE_LIMIT = 256 * 1024 * 1024;
/** What training scripts put around a state dict. */
const WRAPPERS = ['state_dict', 'model', 'module'];
/** `torch.save` before 1.6 begins with this number as a pickle of its own. */
const LEGACY = Buffer.from('80028a0a6cfc9c46f920', 'hex');

const ITEM_BYTES: Partial<Record<TensorDtype, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  C128: 16,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
};

interface Placed extends TensorInfo {
  readonly entry: ZipEntry;
  /** First byte within the storage. */
  readonly begin: number;
  /** Its values lie one after the other. */
  readonly contiguous: boolean;
}

/**
 * Reads the directory and the pickle of a checkpoint; executes nothing.
 * @throws ModelError `weights_invalid`, with what was refused and where
 */
export async function readTorch(source: ByteSource): Promise<WeightFile> {
  await refuseForeign(source);
  const fault = (problem: string): ModelError => invalid(source.name, `${problem}.`);
  const entries = await readZip(source, fault);
  const prefix = archivePrefix(entries, fault);
  const byteorder = entries.get(`${prefix}byteorder`);
  if (byteorder !== undefined && Buffer.from(await readEntry(source, byteorder, 16, fault)).toString('latin1') !== 'little') {
    throw fault('the values are big-endian; only little-endian ones are read. Save the checkpoint as safetensors');
  }
  const pickle = await readEntry(source, entries.get(`${prefix}data.pkl`) as ZipEntry, PICKLE_LIMIT, fault);
  const value = readPickle(pickle, (at, problem) => invalid(source.name, `${problem} (byte ${at} of data.pkl).`));
  const tensors = new Map<string, Placed>();
  for (const [name, tensor] of stateDict(value, fault)) {
    tensors.set(name, place(source.name, name, tensor, entries.get(`${prefix}data/${tensor.storage.key}`)));
  }
  return { source, tensors, read: reader(source, tensors, fault) };
}

async function refuseForeign(source: ByteSource): Promise<void> {
  const start = Buffer.from(await source.slice(0, Math.min(FOREIGN_BYTES, source.byteLength)));
  if (start.subarray(0, 4).toString('latin1') === 'PK\x03\x04') return;
  const convert = 'Load it with PyTorch and save it as safetensors';
  if (start.subarray(0, LEGACY.byteLength).equals(LEGACY)) {
    throw invalid(source.name, `this is a checkpoint of the legacy format, from before PyTorch 1.6, which is not read. ${convert}.`);
  }
  if (start.toString('latin1', 257, 262) === 'ustar')
    throw invalid(source.name, `this is a tar archive, as PyTorch 0.1 wrote, which is not read. ${convert}.`);
  const foreign = describeForeign(start)?.replaceAll('not safetensors', 'not a checkpoint that torch.save wrote');
  throw invalid(source.name, `${foreign ?? 'not a PyTorch checkpoint: it does not begin as a zip archive. Download it again'}.`);
}

/** The folder of the archive that everything is in. */
function archivePrefix(entries: ReadonlyMap<string, ZipEntry>, fault: (problem: string) => Error): string {
  const names = [...entries.keys()];
  const pickles = names.filter((name) => /(?:^|\/)data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined) throw fault('the archive holds no data.pkl: not a PyTorch checkpoint');
  if (pickles.length > 1) throw fault(`the archive holds ${pickles.length} files data.pkl; one was expected`);
  const prefix = pickle.slice(0, -'data.pkl'.length);
  if (names.some((name) => name === `${prefix}constants.pkl` || name.startsWith(`${prefix}code/`))) {
    throw fault('this is a TorchScript program, which is not read. Save its state_dict() as safetensors');
  }
  return prefix;
}

async function readEntry(source: ByteSource, entry: ZipEntry, limit: number, fault: (problem: string) => Error): Promise<Uint8Array> {
  if (entry.size > limit) throw fault(`entry ${quote(entry.name)} has ${entry.size} bytes; the limit is ${limit}`);
  const start = await dataStart(source, entry, fault);
  const bytes = await source.slice(start, start + entry.size);
  checkSum(bytes, entry, fault);
  return bytes;
}

function checkSum(bytes: Uint8Array, entry: ZipEntry, fault: (problem: string) => Error): void {
  if (crc32(bytes) !== entry.crc)
    throw fault(`entry ${quote(entry.name)} of the archive does not have its checksum: damaged. Download it again`);
}

function stateDict(value: Value, fault: (problem: string) => Error): [string, TorchTensor][] {
  if (!isDict(value)) throw fault('the checkpoint is not a dict of tensors');
  const found = tensorsOf(value);
  if (found.length > 0) return found;
  for (const wrapper of WRAPPERS) {
    const inner = value.entries.get(wrapper);
    if (inner !== undefined && isDict(inner) && tensorsOf(inner).length > 0) return tensorsOf(inner);
  }
  throw new ModelError('tensor_missing', fault('the checkpoint holds no tensors').message);
}

function isDict(value: Value): value is Dict {
  return typeof value === 'object' && value !== null && value.kind === 'dict';
}

function tensorsOf({ entries }: Dict): [string, TorchTensor][] {
  return [...entries].flatMap(([name, value]): [string, TorchTensor][] =>
    typeof name === 'string' && typeof value === 'object' && value !== null && value.kind === 'tensor' ? [[name, value]] : [],
  );
}

function place(file: string, name: string, tensor: TorchTensor, entry: ZipEntry | undefined): Placed {
  const fault = (problem: string) => invalid(file, `tensor ${quote(name)}: ${problem}.`);
  const { dtype, storage, offset, shape, stride } = tensor;
  if (entry === undefined) throw fault(`its storage ${quote(storage.key)} is not in the archive`);
  const itemBytes = ITEM_BYTES[dtype] ?? 1;
  const stated = storage.elements * (storage.dtype === null ? 1 : (ITEM_BYTES[storage.dtype] ?? 1));
  if (stated !== entry.size)
    throw fault(`its storage ${quote(storage.key)} has ${entry.size} bytes in the archive, the pickle says ${stated}`);
  const elements = shape.reduce((product, size) => product * size, 1);
  // Of what lies furthest from the first: sizes and strides are not negative.
  const reach = shape.reduce((sum, size, axis) => sum + (size - 1) * (stride[axis] ?? 0), 0);
  const end = elements === 0 ? offset : offset + reach + 1;
  if (!(end * itemBytes <= entry.size) || !Number.isSafeInteger(elements * itemBytes)) {
    throw fault(`shape [${shape.join(',')}], stride [${stride.join(',')}] and offset ${offset} leave its storage of ${entry.size} bytes`);
  }
  return {
    name,
    dtype,
    shape,
    byteLength: elements * itemBytes,
    file,
    entry,
    begin: offset * itemBytes,
    contiguous: isContiguous(shape, stride),
  };
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && stride[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

function reader(source: ByteSource, tensors: ReadonlyMap<string, Placed>, fault: (problem: string) => Error): WeightFile['read'] {
  const starts = new Map<ZipEntry, Promise<number>>();
  return async ({ name }, from, to) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new RangeError(`no tensor ${quote(name)}`);
    if (!tensor.contiguous) {
      throw fault(
        `tensor ${quote(name)} is a view of its storage (transposed or with steps), which is not read. Save the checkpoint with .contiguous(), or as safetensors`,
      );
    }
    let start = starts.get(tensor.entry);
    if (start === undefined) {
      start = dataStart(source, tensor.entry, fault);
      starts.set(tensor.entry, start);
    }
    const first = (await start) + tensor.begin;
    const bytes = await source.slice(first + from, first + to);
    if (bytes.byteLength === tensor.entry.size) checkSum(bytes, tensor.entry, fault);
    return bytes;
  };
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}

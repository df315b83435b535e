// What the fuzz tests hold a reader to: only ModelErrors, no read outside the file, no memory beyond ten times the input, no hang.
// Bounded are the bytes of all slices together and every typed array, ArrayBuffer and Buffer made by size; not strings, Maps and plain arrays.

import { ModelError } from '../../src/errors.js';
import type { ByteSource } from '../../src/hub/source.js';
import type { TensorInfo } from '../../src/weights/checkpoint.js';
import type { WeightFile } from '../../src/weights/weight-file.js';
import { memorySource } from './made-files.js';

/** Cases per reader. Many more by hand: FUZZ_CASES=1000000 FUZZ_SEED=7 npx jest __tests__/weights/fuzz --testTimeout=3600000 */
export const CASES = Number(process.env.FUZZ_CASES ?? 10_000);
export const SEED = Number(process.env.FUZZ_SEED ?? 20_240_607);

/** What a reader may take for an input of few bytes: a constant, next to ten times the input. */
const SLACK_BYTES = 1024;
/** Processor time, so that a busy machine is no failure. */
const HANG_MS = 1000;

let taken = 0;

const CONSTRUCTORS = [
  'ArrayBuffer',
  'Int8Array',
  'Uint8Array',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

/** Counts what is made by size until the function that comes back is called. */
export function watchAllocations(): () => void {
  const globals = globalThis as unknown as Record<string, new (...given: unknown[]) => object>;
  const undo: (() => void)[] = [];
  for (const name of CONSTRUCTORS) {
    const original = globals[name];
    if (original === undefined) throw new Error(`no ${name}`);
    const watched: typeof original = new Proxy(original, {
      construct(target, given: unknown[], newTarget) {
        const made = Reflect.construct(target, given, newTarget === watched ? target : newTarget) as { byteLength: number };
        // A view of memory that is there already takes none.
        if (!(given[0] instanceof ArrayBuffer)) taken += made.byteLength;
        return made;
      },
    });
    globals[name] = watched;
    undo.push(() => (globals[name] = original));
  }
  const { alloc, allocUnsafe, concat } = Buffer;
  Buffer.alloc = (size: number, ...more: []) => ((taken += size), alloc(size, ...more));
  Buffer.allocUnsafe = (size) => ((taken += size), allocUnsafe(size));
  Buffer.concat = (parts, length) => {
    const made = concat(parts, length);
    taken += made.byteLength;
    return made;
  };
  undo.push(() => Object.assign(Buffer, { alloc, allocUnsafe, concat }));
  return () => {
    for (const step of undo) step();
  };
}

/** A source in memory that throws for a range outside it, as `memorySource` does, and adds what it gives to what was taken. */
function guardedSource(bytes: Uint8Array, name: string): ByteSource {
  const source = memorySource(bytes, name);
  return {
    ...source,
    async slice(start, end) {
      if (!Number.isInteger(start) || !Number.isInteger(end)) throw new Error(`asked for bytes ${start} to ${end}`);
      const given = await source.slice(start, end);
      taken += given.byteLength;
      return given;
    },
  };
}

/** A tensor of a file that was accepted; no bytes where the file holds it in a form that the reader refuses to give. */
export type ReadTensor = TensorInfo & { readonly bytes: Uint8Array | null };

/**
 * Opens the input and reads every tensor in it under all the rules; what breaks one is thrown, and so fails the property.
 * @returns `null` when the input was refused
 */
export async function guarded(
  bytes: Uint8Array,
  name: string,
  open: (source: ByteSource) => Promise<readonly WeightFile[]>,
): Promise<readonly ReadTensor[] | null> {
  const before = process.cpuUsage();
  const files = await bounded(bytes.byteLength, () => open(guardedSource(bytes, name)));
  const tensors: ReadTensor[] = [];
  for (const file of files ?? []) {
    for (const tensor of file.tensors.values()) {
      const values = await bounded(bytes.byteLength, () => file.read(tensor, 0, tensor.byteLength));
      if (values !== null && values.byteLength !== tensor.byteLength)
        throw new Error(`gave ${values.byteLength} of ${tensor.byteLength} bytes`);
      tensors.push({ ...tensor, bytes: values });
    }
  }
  const { user, system } = process.cpuUsage(before);
  if (user + system > HANG_MS * 1000) throw new Error(`took ${(user + system) / 1000} ms of processor time`);
  return files === null ? null : tensors;
}

/** The result within the limit of memory, `null` for a ModelError. */
async function bounded<Result>(inputBytes: number, part: () => Promise<Result>): Promise<Result | null> {
  taken = 0;
  const result = await part().catch((error: unknown) => {
    if (!(error instanceof ModelError)) throw error;
    return null;
  });
  if (taken > 10 * inputBytes + SLACK_BYTES) throw new Error(`took ${taken} bytes of memory for an input of ${inputBytes}`);
  return result;
}

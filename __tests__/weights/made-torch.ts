// PyTorch checkpoints for tests: zip archives and pickles written byte by byte, so that each can lie.

import { crc32 } from 'node:zlib';

export interface MadeEntry {
  readonly name: string;
  readonly data: Uint8Array;
  /** Instead of the right ones. */
  readonly localName?: string;
  readonly crc?: number;
  readonly size?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly headerAt?: number;
  readonly zip64?: boolean;
}

function fields(...pairs: readonly (readonly [number, number])[]): Buffer {
  return Buffer.concat(
    pairs.map(([size, value]) => {
      const bytes = Buffer.alloc(size);
      if (size === 8) bytes.writeBigUInt64LE(BigInt(value));
      else bytes.writeUIntLE(value, 0, size);
      return bytes;
    }),
  );
}

export interface ZipLies {
  readonly zip64?: boolean;
  readonly count?: number;
  readonly directoryAt?: number;
  readonly comment?: string;
}

/** A zip archive of stored entries. */
export function zipBytes(entries: readonly MadeEntry[], lies: ZipLies = {}): Uint8Array {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { data, method = 0, flags = 0 } = entry;
    const localName = Buffer.from(entry.localName ?? entry.name);
    const name = Buffer.from(entry.name);
    const crc = entry.crc ?? crc32(data);
    const size = entry.size ?? data.byteLength;
    const headerAt = entry.headerAt ?? at;
    // torch pads the extra field so that the data is aligned.
    const head = Buffer.concat([
      fields([4, 0x04034b50], [2, 0], [2, flags], [2, method], [4, 0], [4, crc], [4, size], [4, size], [2, localName.length], [2, 6]),
      localName,
      Buffer.from('FB\x02\x00ZZ'),
    ]);
    const wide = entry.zip64 === true ? fields([2, 1], [2, 24], [8, size], [8, size], [8, headerAt]) : Buffer.alloc(0);
    const small = (value: number): number => (entry.zip64 === true ? 0xffffffff : value);
    directory.push(
      Buffer.concat([
        fields([4, 0x02014b50], [2, 0], [2, 0], [2, flags], [2, method], [4, 0], [4, crc], [4, small(size)], [4, small(size)]),
        fields([2, name.length], [2, wide.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, small(headerAt)]),
        name,
        wide,
      ]),
    );
    local.push(head, Buffer.from(data));
    at += head.byteLength + data.byteLength;
  }
  const body = Buffer.concat([...local, ...directory]);
  const size = body.byteLength - at;
  const count = lies.count ?? entries.length;
  const start = lies.directoryAt ?? at;
  const wideEnd = fields(
    [4, 0x06064b50],
    [8, 44],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, size],
    [8, start],
    [4, 0x07064b50],
    [4, 0],
    [8, body.byteLength],
    [4, 1],
  );
  const comment = Buffer.from(lies.comment ?? '');
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, entries.length],
    [2, entries.length],
    [4, size],
    [4, lies.zip64 === true ? 0xffffffff : start],
    [2, comment.length],
  );
  return new Uint8Array(Buffer.concat([body, ...(lies.zip64 === true ? [wideEnd] : []), end, comment]));
}

const u32 = (value: number): Buffer => fields([4, value]);
export const text = (value: string): Buffer => Buffer.concat([Buffer.from('X'), u32(Buffer.byteLength(value)), Buffer.from(value)]);
export const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(5, 'J');
  bytes.writeInt32LE(value, 1);
  return bytes;
};
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);
export const tuple = (...items: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
export const call = (callable: Buffer, ...given: readonly Buffer[]): Buffer => Buffer.concat([callable, tuple(...given), Buffer.from('R')]);
export const pickle = (...parts: readonly (Buffer | string)[]): Uint8Array =>
  new Uint8Array(Buffer.concat([Buffer.of(0x80, 2), ...parts.map((part) => Buffer.from(part)), Buffer.from('.')]));

export interface MadeTensor {
  readonly key: string;
  readonly storage?: string;
  readonly elements: number;
  readonly shape: readonly number[];
  readonly stride?: readonly number[];
  readonly offset?: number;
}

export function tensor({ key, storage = 'FloatStorage', elements, shape, stride, offset = 0 }: MadeTensor): Buffer {
  const steps = stride ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const id = Buffer.concat([tuple(text('storage'), global('torch', storage), text(key), text('cpu'), int(elements)), Buffer.from('Q')]);
  const hooks = call(global('collections', 'OrderedDict'));
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    id,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...steps.map(int)),
    Buffer.of(0x89),
    hooks,
  );
}

/** An OrderedDict of tensors with torch's `_metadata` on it. */
export function stateDict(members: Readonly<Record<string, Buffer>>): Buffer {
  return Buffer.concat([
    call(global('collections', 'OrderedDict')),
    Buffer.from('('),
    ...Object.entries(members).flatMap(([name, value]) => [text(name), value]),
    Buffer.from('u}'),
    text('_metadata'),
    Buffer.from('}sb'),
  ]);
}

/** A checkpoint as torch.save writes it. */
export function torchBytes(
  data: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  more: readonly MadeEntry[] = [],
  lies: ZipLies = {},
): Uint8Array {
  return zipBytes(
    [
      { name: 'archive/data.pkl', data },
      { name: 'archive/byteorder', data: Buffer.from('little') },
      ...Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, data: bytes })),
      { name: 'archive/version', data: Buffer.from('3\n') },
      ...more,
    ],
    lies,
  );
}

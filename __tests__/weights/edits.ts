// Changes of valid files, for fuzz tests: bits, bytes, cuts, pieces doubled or moved, and the numbers that overflow.

import fc from 'fast-check';

/** Values at which sizes and counts overflow something. */
export const huge = fc.constantFrom(0n, 1n, 7n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n);

type Edit =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'cut' | 'double' | 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'number'; readonly at: number; readonly value: bigint; readonly width: 4 | 8 };

const at = fc.nat(0xffff);
const length = fc.integer({ min: 1, max: 24 });
const SYNTAX = ['{', '}', '[', ']', ',', ':', '"', '\\', '-', '0', '.0', 'e0', ' ', 'null', '18446744073709551616', '\ufeff'];
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at, byte: fc.nat(255) }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'double' as const, 'remove' as const), at, length }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at,
    bytes: fc.constantFrom(...SYNTAX).map((token) => new Uint8Array(Buffer.from(token))),
  }),
  fc.record({ kind: fc.constant('number' as const), at, value: huge, width: fc.constantFrom(4 as const, 8 as const) }),
);

/** No edit in half of the cases: two lists of them are often one. */
export const edits: fc.Arbitrary<readonly Edit[]> = fc.oneof(fc.constant<Edit[]>([]), fc.array(edit, { minLength: 1, maxLength: 3 }));

export function edited(input: Uint8Array, given: readonly Edit[]): Uint8Array {
  // A copy with memory of its own: a Buffer's slices share theirs.
  return new Uint8Array(given.reduce<Buffer>(applied, Buffer.from(input)));
}

function applied(bytes: Buffer, change: Edit): Buffer {
  const from = change.at % (bytes.byteLength + 1);
  const before = bytes.subarray(0, from);
  switch (change.kind) {
    case 'flip':
      return Buffer.concat([
        before,
        Buffer.from(bytes.subarray(from, from + 1)).map((byte) => byte ^ (1 << change.bit)),
        bytes.subarray(from + 1),
      ]);
    case 'set':
      return Buffer.concat([before, Buffer.of(change.byte), bytes.subarray(from + 1)]);
    case 'cut':
      return before;
    case 'double':
      return Buffer.concat([before, bytes.subarray(from, from + change.length), bytes.subarray(from)]);
    case 'remove':
      return Buffer.concat([before, bytes.subarray(from + change.length)]);
    case 'insert':
      return Buffer.concat([before, change.bytes, bytes.subarray(from)]);
    case 'number': {
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(change.value);
      return Buffer.concat([before, value.subarray(0, change.width), bytes.subarray(from + change.width)]);
    }
  }
}

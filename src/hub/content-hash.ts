// The hashes that the Hub publishes of its files. Which file has which is told by its listing.

import { createHash } from 'node:crypto';

export interface ContentHash {
  update(bytes: Uint8Array): void;
  /** Whether what was given is the content; `got` is its hash. */
  result(): { matches: boolean; got: string };
}

/** A sha256 (LFS files) or the sha1 of a git blob (all others), in lower-case hexadecimal digits. */
export function isContentHash(text: string): boolean {
  return /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text);
}

/** @param expected 64 digits: sha256 of the content; 40: git's sha1 of `blob <size>\0` and the content */
export function contentHash(expected: string, size: number): ContentHash {
  const hash = createHash(expected.length === 64 ? 'sha256' : 'sha1');
  if (expected.length === 40) hash.update(`blob ${size}\0`);
  return {
    update: (bytes) => void hash.update(bytes),
    result: () => {
      const got = hash.digest('hex');
      return { matches: got === expected, got };
    },
  };
}

export function hashName(expected: string): string {
  return expected.length === 64 ? 'sha256' : 'git blob sha1';
}

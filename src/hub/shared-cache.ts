// A cache that several machines fill, such as that of GitHub Actions, asked for a model's files before they are downloaded. What it
// gives is a guess until it was hashed. How it is reached is not known here.

import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

import { hasContent } from './cache.js';
import type { Listing } from './listing.js';
import { bytesInWords } from './progress.js';

/** What is kept under one name, for ever the same: the files that one commit's numeric diff needs. */
export interface SharedEntry {
  readonly key: string;
  /** Content hashes, sorted; the files are `blobs/<hash>` below a folder. */
  readonly hashes: readonly string[];
  readonly bytes: number;
}

export interface Restored {
  /** Whether the cache has an entry of that key: then it is not saved again, whatever came of it. */
  readonly found: boolean;
  /** What went wrong, in a few words. */
  readonly problem: string | null;
}

export interface SharedCache {
  /** As it is called in the log. */
  readonly name: string;
  /**
   * Gives `use` a folder with whatever the entry left there, and removes it afterwards; not called when there is nothing. Whoever wrote the
   * entry decided what lies under the names: it may be a link. Takes bounded time, and fails only as `use` does.
   */
  restore(entry: SharedEntry, use: (folder: string) => Promise<void>): Promise<Restored>;
  /** Notes that the entry is worth saving from `folder`; when is the cache's own business. */
  save(entry: SharedEntry, folder: string): void;
}

interface File {
  readonly hash: string;
  readonly size: number;
}

/** GitHub allows 512 characters; names of the Hub are shorter than this by far. */
const MODEL_CHARACTERS = 200;

export function sharedEntry({ repository, commit }: Listing, files: readonly File[]): SharedEntry {
  const sizes = new Map(files.map(({ hash, size }) => [hash, size]));
  const hashes = [...sizes.keys()].sort();
  const model = repository.replaceAll(/[^\w.-]/g, '--').slice(0, MODEL_CHARACTERS);
  const set = createHash('sha256').update(hashes.join('\n')).digest('hex');
  return { key: `fused-compat-1-${model}-${commit}-${set}`, hashes, bytes: total(sizes.values()) };
}

/**
 * Takes what the shared cache has of the missing files, each hashed, out of `missing`. A failure of the cache is a line in the log.
 * @param take puts a file that was just hashed under its final name; false when it could not
 * @returns whether the entry should be saved once the files are there
 */
export async function takeShared<F extends File>(
  shared: SharedCache,
  entry: SharedEntry,
  missing: Map<string, F>,
  take: (path: string, file: F) => Promise<boolean>,
  say: (message: string) => void,
): Promise<boolean> {
  const wanted = missing.size;
  const bytes = total([...missing.values()].map(({ size }) => size));
  // A tokenizer is not worth an archive of weights that are here.
  if (bytes < entry.bytes / 2) return false;
  const result = await shared
    .restore(entry, async (folder) => {
      for (const [hash, file] of [...missing]) {
        const path = join(folder, 'blobs', hash);
        if ((await isOwnFile(path)) && (await hasContent(path, file.size, hash)) && (await take(path, file))) missing.delete(hash);
      }
    })
    .catch((error: unknown): Restored => ({ found: true, problem: error instanceof Error ? error.message : String(error) }));
  const { found, problem } = result;
  if (missing.size === 0) {
    say(`${bytesInWords(bytes)} from ${shared.name}, verified`);
  } else if (found) {
    const why = problem === null ? '' : ` (${problem})`;
    say(
      `${wanted - missing.size} of ${wanted} files came right from ${shared.name}${why}; downloading the rest. If this stays so, delete its entry ${entry.key}`,
    );
  } else if (problem !== null) say(`nothing from ${shared.name}: ${problem}`);
  return !found && problem === null;
}

function total(sizes: Iterable<number>): number {
  return [...sizes].reduce((sum, size) => sum + size, 0);
}

/** A file with a second name could still be changed after it was hashed. */
async function isOwnFile(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  return stats !== null && stats.isFile() && stats.nlink === 1;
}

// The fourth door: a process that fetches or saves one entry of the Actions cache, as src/github/actions-cache.ts sends it to. What it may
// read and write, and for how long, is settled there.

import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache';

export interface CacheRequest {
  readonly task: 'restore' | 'save';
  readonly key: string;
  /** Relative to the working directory. GitHub finds an entry by its key and these very words. */
  readonly paths: readonly string[];
}

export interface CacheAnswer {
  /** Whether there is an entry of that key. */
  readonly found: boolean;
  readonly done: boolean;
  readonly problem: string | null;
}

/** @actions/cache throws nothing: why something failed stands only in what it prints. */
let said = '';
process.stdout.write = (text: string | Uint8Array): boolean => {
  said += String(text);
  return true;
};

// Without the process that it works for it has no limit of time: it ends, and tar with it.
process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
process.on('message', (request: CacheRequest) => {
  answer(request).then(
    (problem) => tell({ found: false, done: true, problem }),
    (error: unknown) => tell({ found: false, done: true, problem: error instanceof Error ? error.message : String(error) }),
  );
});

function tell(what: CacheAnswer): void {
  process.send?.(what);
}

/** What went wrong, null: nothing. */
async function answer({ task, key, paths }: CacheRequest): Promise<string | null> {
  if (!isFeatureAvailable()) return 'this runner has no cache service';
  if (task === 'save') return (await saveCache([...paths], key)) === -1 ? (reasonSaid() ?? 'the service did not take it') : null;
  // Asked first, so that a broken entry is told from a broken service.
  const match = await restoreCache([...paths], key, [], { lookupOnly: true });
  if (match !== key) return reasonSaid();
  tell({ found: true, done: false, problem: null });
  return (await restoreCache([...paths], key)) === undefined ? (reasonSaid() ?? 'it was not unpacked') : null;
}

/** The first thing that it complained of, without its own beginnings. */
function reasonSaid(): string | null {
  const line = /^(?:::(?:warning|error)[^:]*::|Failed to |Cache (?:restore|save) skipped: ).*$/m.exec(said)?.[0];
  if (line === undefined) return null;
  // Its guess at whatever keeps an entry from being made: https://github.com/actions/cache/issues/1665
  if (line.includes('another job may be creating this cache')) return 'the entry is there already, or another job is saving it';
  return line.replace(
    /^(?:::\w+[^:]*::)?(?:Failed to (?:restore|save): |Cache (?:restore|save) skipped: |Cache reservation failed: )?(?:.* More details: )?/,
    '',
  );
}

// Proves that dist/ is what its sources build: builds into a temporary folder and compares file by file.

import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SHOWN = 10;

/** What a file must be the same in: its bytes, or for brotli its content, because another zlib may pack it differently. */
function fingerprint(path) {
  let content;
  try {
    content = readFileSync(path);
    if (path.endsWith('.br')) content = brotliDecompressSync(content);
  } catch (error) {
    return error.code === 'ENOENT' ? 'missing' : `unreadable (${error.message})`;
  }
  return createHash('sha256').update(content).digest('hex');
}

function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Paths, relative to both folders, that are not the same in them; sorted. */
function differences(committed, built) {
  const paths = new Set([...files(committed), ...files(built)]);
  return [...paths].sort().filter((path) => fingerprint(join(committed, path)) !== fingerprint(join(built, path)));
}

const built = mkdtempSync(join(tmpdir(), 'check-dist-'));
try {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--outdir', built], { stdio: 'inherit' });
  const different = differences(join(ROOT, 'dist'), built);
  if (different.length > 0) {
    const names = different.slice(0, SHOWN).map((path) => `  dist/${path}`);
    if (different.length > SHOWN) names.push(`  and ${different.length - SHOWN} more`);
    console.error(`dist/ does not match its sources; run \`npm run build\` and commit it. Different:\n${names.join('\n')}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(built, { recursive: true });
}

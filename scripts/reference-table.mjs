// Writes the measured tables of docs/reference.md between their markers: `node scripts/reference-table.mjs`. Takes some ten seconds.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import esbuild from 'esbuild';
import prettier from 'prettier';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DOCUMENT = join(ROOT, 'docs/reference.md');

/** TypeScript cannot be imported as it is; what is made lies below the checkout, so that packages are found. */
async function importTypeScript(entry, name) {
  const outfile = join(ROOT, 'build', name);
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  await esbuild.build({
    stdin: { contents: entry, resolveDir: join(ROOT, 'scripts'), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  return import(pathToFileURL(outfile).href);
}

process.chdir(ROOT);
const { createOpRunner, loadOnnxRuntime, MARKERS, referenceTables } = await importTypeScript(
  `export { createOpRunner } from '../src/reference/op-runner.js';
   export { loadOnnxRuntime } from '../src/reference/runtime.js';
   export * from './reference-table.js';`,
  'reference-table.mjs',
);
const tables = await referenceTables(createOpRunner(await loadOnnxRuntime()));
const document = readFileSync(DOCUMENT, 'utf8');
const [start, end] = MARKERS.map((marker) => document.indexOf(marker));
if (start < 0 || end < start) throw new Error(`${DOCUMENT} has lost its markers`);
const written = `${document.slice(0, start + MARKERS[0].length)}\n\n${tables}\n\n${document.slice(end)}`;
writeFileSync(DOCUMENT, await prettier.format(written, { ...(await prettier.resolveConfig(DOCUMENT)), filepath: DOCUMENT }));
console.log(tables);

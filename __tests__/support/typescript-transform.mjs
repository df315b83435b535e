// Takes the types out of TypeScript for jest, a file at a time: `npm run typecheck` is what checks them. With esbuild, which the bundle is built with
// too: TypeScript's own compiler takes a quarter of a minute for all files.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import esbuild from 'esbuild';

const options = (path) => ({
  loader: 'ts',
  format: 'esm',
  target: 'node20.19',
  sourcefile: path,
  sourcemap: 'inline',
  sourcesContent: false,
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
});
const own = readFileSync(new URL(import.meta.url), 'utf8');

export default {
  process: (source, path) => esbuild.transformSync(source, options(path)),
  processAsync: (source, path) => esbuild.transform(source, options(path)),
  getCacheKey: (source, path) =>
    createHash('sha256')
      .update(JSON.stringify([own, esbuild.version, path, source]))
      .digest('hex'),
};

// Writes the kernels that bench/models.mjs judges before and after one of them is changed: those that are shipped for ONNX Runtime, with a correct RMS
// norm of our own in the place of theirs, and with another one by the same name.
//   node bench/make-kernels.mjs FOLDER    makes FOLDER/before and FOLDER/after (needs the development packages)

import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT } from './machine.mjs';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node bench/make-kernels.mjs FOLDER');

// Below the repository, so that packages are found.
await mkdir(join(ROOT, 'build'), { recursive: true });
const scratch = await mkdtemp(join(ROOT, 'build/bench-kernels-'));
try {
  const outfile = join(scratch, 'planted.mjs');
  const contents = "export * from './kernels.ts'; export * from './pen.ts';";
  const stdin = { contents, resolveDir: join(ROOT, '__tests__/kernels/planted'), loader: 'ts' };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
  const { CORRECT, drawKernel, plant } = await import(pathToFileURL(outfile).href);
  for (const [when, name] of [
    ['before', 'rms-norm-split-sums'],
    ['after', 'rms-norm-float64'],
  ]) {
    const planted = CORRECT.find((each) => each.name === name);
    const kernels = join(resolve(folder), when);
    await cp(join(ROOT, 'kernels/onnxruntime'), kernels, { recursive: true });
    await rm(join(kernels, 'rms-norm'), { recursive: true });
    await plant(kernels, 'own-rms-norm', planted.op, drawKernel(planted));
  }
} finally {
  await rm(scratch, { recursive: true });
}

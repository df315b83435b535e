// Mutants of the CUDA kernels: __tests__/kernels/zoo/mutants.json says which text of which source becomes what. Compiled by nvcc.

import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** The kernels as they are shipped, and their mutants. */
export function readMutants(root) {
  const { broken, correct } = JSON.parse(readFileSync(join(root, '__tests__/kernels/zoo/mutants.json'), 'utf8'));
  return [...broken.map((kernel) => ({ ...kernel, wrong: true })), ...correct.map((kernel) => ({ ...kernel, wrong: false, edits: [] }))];
}

/** A source with its edits. An edit that fits elsewhere than it says would be another mutant. */
export function mutated(root, { name, of, edits }) {
  const manifest = JSON.parse(readFileSync(join(root, 'kernels/cuda', of, 'kernel.json'), 'utf8'));
  let source = readFileSync(join(root, 'kernels/cuda', of, manifest.source), 'utf8');
  for (const { from, to, times = 1 } of edits) {
    const parts = source.split(from);
    if (parts.length !== times + 1) throw new Error(`${name}: ${manifest.source} has ${parts.length - 1} times, not ${times}: ${from}`);
    source = parts.join(to);
  }
  return { manifest, source };
}

/** Makes the chosen ones in a folder; each of them then writes its manifest and PTX wherever it is asked to. */
export async function cudaZoo(root, folder, chosen) {
  const kernels = readMutants(root).filter(({ name }) => chosen(name));
  const waiting = kernels.map((kernel) => async () => {
    const { manifest, source } = mutated(root, kernel);
    const ptx = join(folder, `${kernel.name}.ptx`);
    writeFileSync(join(folder, `${kernel.name}.cu`), source);
    await promisify(execFile)('nvcc', ['-ptx', '-arch=compute_80', '-std=c++17', '-w', '-o', ptx, join(folder, `${kernel.name}.cu`)]);
    // The version that the shipped PTX has, for drivers older than nvcc (scripts/ptx.mjs).
    writeFileSync(ptx, readFileSync(ptx, 'utf8').replace(/^\.version .*$/m, '.version 7.0'));
    return { ...kernel, op: manifest.op, write: (to) => writeKernel(join(to, kernel.name), kernel.name, manifest, ptx) };
  });
  const made = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) made.push(await next());
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const order = kernels.map(({ name }) => name);
  return made.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function writeKernel(folder, name, manifest, ptx) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(ptx, join(folder, basename(ptx)));
  // Without a source: undefined keys are left out.
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify({ ...manifest, name, ptx: basename(ptx), source: undefined }));
}

// The NumPy kernels of __tests__/kernels/zoo as manifests, the models that they are run on, and folders of results that grow run by run.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ZOO = join(ROOT, '__tests__/kernels/zoo');

export const MODELS = ['examples/models/qwen3-mini', 'examples/models/tinyllama-mini', 'examples/models/ernie45-mini']
  .concat(['__tests__/models/mistral-mini', '__tests__/models/gemma3-mini'])
  .map((path) => join(ROOT, path));

/** A python3 that can import NumPy. */
function python() {
  const works = (program) => spawnSync(program, ['-c', 'import numpy'], { stdio: 'ignore' }).status === 0;
  const found = ['python3', '/usr/bin/python3'].find(works);
  if (found === undefined) throw new Error('no python3 here can import NumPy');
  return found;
}

/** All of them, in the order of zoo.json; each writes its manifest below a folder, with options of zoo.py where they are given. */
export function numpyZoo() {
  const program = python();
  const ops = JSON.parse(execFileSync(program, [join(ZOO, 'zoo.py'), '--list'], { encoding: 'utf8' }));
  const { broken, correct } = JSON.parse(readFileSync(join(ZOO, 'zoo.json'), 'utf8'));
  const kernels = [...broken.map((kernel) => ({ ...kernel, wrong: true })), ...correct.map((kernel) => ({ ...kernel, wrong: false }))];
  const env = { PYTHONPATH: join(ROOT, 'kernels/python'), PYTHONDONTWRITEBYTECODE: '1', OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  return kernels.map((kernel) => {
    const { name } = kernel;
    const write = (to, dtype = 'bfloat16', options = []) => {
      const command = [program, join(ZOO, 'zoo.py'), name, '--dtype', dtype, ...options];
      writeManifest(join(to, name), { name, op: ops[name], dtypes: [dtype], backend: 'command', command, env });
    };
    return { ...kernel, op: ops[name], write };
  });
}

function writeManifest(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify(manifest));
}

const configOf = (model) => JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));

/** Models that a wrong kernel makes a difference in. */
export function applies({ needs }, model) {
  if (needs === undefined) return true;
  const config = configOf(model);
  return needs === 'window' ? config.sliding_window != null : config.num_key_value_heads > 1;
}

/** The first, the middle and the last layer of a model. */
export const PLACES = ['first', 'middle', 'last'];
export function layerAt(model, place) {
  const { num_hidden_layers: layers } = configOf(model);
  return place === 'first' ? 0 : place === 'middle' ? layers >> 1 : layers - 1;
}

/** Whether the kernel makes a difference in that layer: some have no window. */
export function appliesIn(kernel, model, layer) {
  const kind = configOf(model).layer_types?.[layer];
  return applies(kernel, model) && !(kernel.needs === 'window' && kind === 'full_attention');
}

const ABOUT = 'about.json';

/** Makes a folder of results, with when and on what they are measured. */
export function startFolder(folder) {
  mkdirSync(folder, { recursive: true });
  save(join(folder, ABOUT), { date: new Date().toISOString().slice(0, 10), cpu: cpus()[0]?.model ?? 'unknown' });
}

/** Writes one result, whole or not at all. */
export function save(file, result) {
  writeFileSync(`${file}.part`, `${JSON.stringify(result, null, 1)}\n`);
  renameSync(`${file}.part`, file);
}

/** What a folder holds; null where nothing was run. */
export function results(folder) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json') && name !== ABOUT) : [];
  return files.length === 0 ? null : { about: read(ABOUT), runs: files.sort().map(read) };
}

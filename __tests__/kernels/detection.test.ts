// The zoo of known-wrong and known-right kernels behind docs/detection.md: some of it through the gate, and that the table speaks of it.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CRITERIA, TOOLS, type Output } from '../../scripts/detection/criteria.js';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { KernelResult } from '../../src/report/types.js';
import { startEngine } from '../support/engine.js';
import { modelFolder, scratch } from '../support/models.js';
import { NUMPY_PYTHON, PYTHON_ENV } from './python.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ZOO = join(ROOT, '__tests__/kernels/zoo/zoo.py');
const SCRIPT = join(ROOT, 'scripts/detection.mjs');
const TABLE = new URL('../../scripts/detection/table.mjs', import.meta.url).href;
const MUTANTS = new URL('../../scripts/detection/mutants.mjs', import.meta.url).href;

interface Listed {
  readonly name: string;
  readonly words: string;
}
type Lists = Readonly<Record<'broken' | 'correct', readonly Listed[]>>;

const listed = async (file: string) => JSON.parse(await readFile(join(ROOT, '__tests__/kernels/zoo', file), 'utf8')) as Lists;

let root: { folder: string; remove: () => Promise<void> };
beforeAll(async () => {
  root = await scratch();
});
afterAll(() => root.remove());

/** Wrong kernels and by which probe, or in which words of the sites, each must be caught. */
const WRONG: Readonly<Record<string, string | RegExp>> = {
  'rms-norm-row-128': 'tails',
  'rms-norm-no-eps': 'zeros',
  'rms-norm-fp16-squares': 'large_magnitudes',
  'rms-norm-nan-leak': 'nan_row',
  'rms-norm-stale-64': 'repeats',
  'rms-norm-batch-eps': 'batch_invariance',
  'rms-norm-in-place': 'inputs_unchanged',
  'rms-norm-writes-past-end': 'guard_bands',
  'attention-decode-mask': 'decode',
  'silu-mul-scale-1.002': /scale error (1\.9|2\.\d)e-3/,
};
const RIGHT = ['rms-norm-late-rounding', 'attention-split-kv', 'attention-bf16-weights', 'silu-mul-tanh'];

(NUMPY_PYTHON === null ? describe.skip : describe)('kernels in NumPy', () => {
  const list = () => JSON.parse(execFileSync(NUMPY_PYTHON ?? '', [ZOO, '--list'], { encoding: 'utf8' })) as Record<string, string>;

  test('are described in words, each of them', async () => {
    const { broken, correct } = await listed('zoo.json');
    expect([...broken, ...correct].map(({ name }) => name).sort()).toEqual(Object.keys(list()).sort());
  });

  describe('through the gate', () => {
    const engine = startEngine();
    let results: Map<string, KernelResult>;
    beforeAll(async () => {
      const ops = list();
      const kernels = join(root.folder, 'kernels');
      for (const name of [...Object.keys(WRONG), ...RIGHT]) {
        await mkdir(join(kernels, name), { recursive: true });
        const command = [NUMPY_PYTHON, ZOO, name];
        const manifest = { name, op: ops[name], dtypes: ['bfloat16'], backend: 'command', command, env: PYTHON_ENV };
        await writeFile(join(kernels, name, 'kernel.json'), JSON.stringify(manifest));
      }
      const prompts = [{ input_ids: Array.from({ length: 27 }, (_, t) => 3 + ((t * 389) % 1000)) }];
      const overrides = { models: [modelFolder('mistral-mini')], kernels, prompts, layers: '0,9' };
      const report = await check(await loadConfig({ cwd: root.folder, overrides }), { engine });
      results = new Map(report.models[0]?.numeric?.kernels.map((result) => [result.kernel, result]));
    });
    afterAll(() => engine.close());

    test.each(Object.entries(WRONG))('%s fails, by %s', (name, how) => {
      const result = results.get(name);
      expect(result?.status).toBe('fail');
      if (how instanceof RegExp) expect(result?.detail).toMatch(how);
      else expect(result?.probes).toContainEqual(expect.objectContaining({ name: how, status: 'fail' }));
    });

    test.each(RIGHT)('%s passes', (name) => {
      expect(results.get(name)).toMatchObject({ status: 'pass', detail: null });
    });
  });
});

describe('mutants of the CUDA kernels', () => {
  test('change what they say, in sources as they are today', async () => {
    const { broken } = await listed('mutants.json');
    const code = `const { readMutants, mutated } = await import(${JSON.stringify(MUTANTS)});
      const root = ${JSON.stringify(ROOT)};
      const original = (kernel) => mutated(root, { ...kernel, edits: [] }).source;
      console.log(JSON.stringify(readMutants(root).filter((kernel) => mutated(root, kernel).source !== original(kernel)).map(({ name }) => name)));`;
    const changed = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })) as string[];
    expect(changed).toEqual(broken.map(({ name }) => name));
    expect(new Set(changed).size).toBeGreaterThanOrEqual(12);
  });
});

describe('the table of docs/detection.md', () => {
  test('has a row for every kernel, and none for others', () => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, '--check'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('is refused when a row is missing, made up or about another kernel', async () => {
    const copy = join(root.folder, 'copy');
    await mkdir(join(copy, 'docs'), { recursive: true });
    await symlink(join(ROOT, 'kernels'), join(copy, 'kernels'));
    await cp(join(ROOT, '__tests__/kernels/zoo'), join(copy, '__tests__/kernels/zoo'), { recursive: true });
    const table = await readFile(join(ROOT, 'docs/detection.md'), 'utf8');
    const changed = table
      .replace(/^\| `rms-norm-eps` .*\n/gm, '')
      .replaceAll('`rope-only-q`', '`rope-made-up`')
      .replace('SiLU by tanh, rounded once', 'SiLU by magic');
    await writeFile(join(copy, 'docs/detection.md'), changed);
    const code = `console.log(JSON.stringify((await import(${JSON.stringify(TABLE)})).problems(${JSON.stringify(copy)})))`;
    const found = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })) as string[];
    expect(found).toEqual([
      'rope-made-up is no kernel of __tests__/kernels/zoo',
      'rms-norm-eps has no row; measure again',
      'rope-only-q has no row; measure again',
      'silu-mul-tanh is another kernel now (correct: SiLU by tanh, rounded once)',
      'rms-norm-eps has no row under "Broken in one layer only"; measure again',
      'rope-only-q has no row under "Broken in one layer only"; measure again',
    ]);
  });
});

describe("other tools' criteria", () => {
  const output = (fused: number[], eager = [1, 2, 4], oracle = eager): Output => ({
    fused: Float32Array.from(fused),
    eager: Float32Array.from(eager),
    oracle: Float64Array.from(oracle),
  });
  const rejecting = (given: Output, op = 'rms_norm') => TOOLS.filter((tool) => CRITERIA[tool](given, op, 'bfloat16'));

  test('accept what is equal, infinite values too', () => {
    expect(rejecting(output([1, 2, 4]))).toEqual([]);
    expect(rejecting(output([1, 2, Infinity], [1, 2, Infinity]))).toEqual([]);
  });

  test('reject what is not a number', () => {
    expect(rejecting(output([1, NaN, 4]))).toEqual([...TOOLS]);
  });

  test('each draw their own line', () => {
    // 0.39 %, one bfloat16 ULP of 2.
    expect(rejecting(output([1, 2.0078125, 4]))).toEqual(['flash_attention', 'llama_cpp', 'polygraphy']);
    expect(rejecting(output([1, 2.0078125, 4]), 'linear')).toEqual(['flash_attention', 'polygraphy']);
    expect(rejecting(output([1, 2.0078125, 4], [1, 2, 4], [1, 2.004, 4]), 'linear')).toEqual(['polygraphy']);
    // 1.25 % is within 1e-2 + 1e-2 · 4 and within 1.6 %; 2.5 % of 4 is not.
    expect(rejecting(output([1, 2, 4.05]), 'linear')).toEqual(['flash_attention', 'polygraphy']);
    expect(rejecting(output([1, 2, 4.1]), 'linear')).toEqual(['assert_close', 'kernelbench', 'flash_attention', 'polygraphy']);
  });
});

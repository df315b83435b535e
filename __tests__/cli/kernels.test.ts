// `fused-compat kernels`: what is listed, and what is said of a wrong manifest.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from '../../src/cli/program.js';

let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kernels-'));
});
afterAll(() => rm(cwd, { recursive: true }));

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const outcome = { code: 0, out: '', err: '' };
  outcome.code = await run(args, {
    stdout: { write: (text) => (outcome.out += text) },
    stderr: { write: (text) => (outcome.err += text) },
    env: {},
    cwd,
    loadGate: () => Promise.reject(new Error('listing kernels needs no gate')),
  });
  return outcome;
}

async function manifest(folder: string, content: unknown): Promise<void> {
  await mkdir(join(cwd, folder), { recursive: true });
  await writeFile(join(cwd, folder, 'kernel.json'), typeof content === 'string' ? content : JSON.stringify(content));
}

const NORM = { name: 'my-norm', op: 'rms_norm', dtypes: ['bfloat16'], backend: 'onnxruntime', operator: 'SimplifiedLayerNormalization' };

describe('fused-compat kernels', () => {
  it('lists the kernels that ONNX Runtime ships when no folder is named', async () => {
    const { code, out, err } = await cli('kernels');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/ort-group-query-attention +│ attention +│ onnxruntime │ GroupQueryAttention/);
    expect(out.match(/│ ort-/g)).toHaveLength(7);
  });

  it('lists the manifests below a folder, as a table or as JSON', async () => {
    await manifest('good/a', NORM);
    expect((await cli('kernels', 'good')).out).toContain('my-norm');
    expect(JSON.parse((await cli('kernels', 'good', '--format', 'json')).out)).toEqual([NORM]);
  });

  it.each([
    ['an unknown key', { ...NORM, opp: 1 }, /unknown key "opp"/],
    ['an unknown op', { ...NORM, op: 'rmsnorm' }, /op is "rmsnorm"; it must be one of .*rms_norm/],
    ['a backend of a later version', { ...NORM, backend: 'triton' }, /backend is "triton"; it must be one of onnxruntime/],
    ['neither operator nor model', { ...NORM, operator: undefined }, /either operator .* or model/],
    [
      'a model outside the repository',
      { ...NORM, operator: undefined, model: '../x.onnx' },
      /model "\.\.\/x\.onnx" does not exist, or leads outside of the repository/,
    ],
    ['text that is not JSON', '{', /not readable as JSON/],
  ])('exits 2 and names file and key for %s', async (name, content, message) => {
    const folder = `bad-${name.replaceAll(' ', '-')}`;
    await manifest(folder, content);
    const { code, out, err } = await cli('kernels', folder);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
    expect(err).toContain('kernel.json');
    expect(err).not.toContain('    at ');
  });

  it('exits 2 for a folder that is missing or holds no manifest', async () => {
    await mkdir(join(cwd, 'empty'), { recursive: true });
    expect(await cli('kernels', 'empty')).toMatchObject({ code: 2, err: expect.stringContaining('no kernel.json below') });
    expect(await cli('kernels', 'nowhere')).toMatchObject({ code: 2, err: expect.stringContaining('does not exist') });
  });
});

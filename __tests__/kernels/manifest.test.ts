// Kernel manifests as users write them: found, checked, and refused with file, key and what is allowed.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import { loadManifests } from '../../src/kernels/manifest.js';
import { scratch } from '../support/models.js';

let root: { folder: string; remove: () => Promise<void> };
let cases = 0;
beforeAll(async () => {
  root = await scratch();
});
afterAll(() => root.remove());

const GOOD = { name: 'good', op: 'rms_norm', dtypes: ['bfloat16'], backend: 'onnxruntime', operator: 'SimplifiedLayerNormalization' };
const BARE = { ...GOOD, operator: undefined };

/** A new folder that holds these files; objects are written as JSON. */
async function folderOf(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = join(root.folder, `case-${++cases}`);
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return folder;
}

async function refused(folder: string): Promise<string> {
  try {
    await loadManifests(folder);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
}

describe('manifests', () => {
  test('are found at any depth, in order of their paths, and models become absolute paths', async () => {
    const folder = await folderOf({
      'b/deep/er/kernel.json': { ...BARE, name: 'b', model: 'models/fused.onnx' },
      'b/deep/er/models/fused.onnx': new Uint8Array(1),
      'a/kernel.json': { ...GOOD, name: 'a' },
      'a/other.json': { nothing: true },
      'node_modules/x/kernel.json': { broken: true },
      'build/kernel.json': '{',
    });
    const manifests = await loadManifests(folder);
    expect(manifests.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(manifests[1]).toMatchObject({ model: expect.stringMatching(/deep\/er\/models\/fused\.onnx$/) });
  });

  test.each([
    ['no op', { ...GOOD, op: undefined }, 'k/kernel.json: op is missing'],
    [
      'an op that is no contract',
      { ...GOOD, op: 'rmsnorm' },
      /k\/kernel\.json: op is "rmsnorm"; it must be one of rms_norm, add_rms_norm, .*swiglu_mlp, decoder_layer, model, generate$/,
    ],
    [
      'a dtype that is no serving dtype',
      { ...GOOD, dtypes: ['bf16'] },
      'k/kernel.json: dtypes.0 is "bf16"; it must be one of bfloat16, float16, float32',
    ],
    [
      'a whole layer as a graph',
      { ...GOOD, op: 'decoder_layer' },
      /k\/kernel\.json: op decoder_layer is not for backend onnxruntime.*; give it a program \(backend command\)$/,
    ],
    ['no dtype at all', { ...GOOD, dtypes: [] }, /k\/kernel\.json: dtypes is \[\]; it must NOT have fewer than 1 items$/],
    ['another backend', { ...GOOD, backend: 'metal' }, 'k/kernel.json: backend is "metal"; it must be one of onnxruntime, cuda, command'],
    ['an unknown key', { ...GOOD, entry: 'main' }, 'k/kernel.json: unknown key "entry"; known: name, op, dtypes, backend, operator, model'],
    [
      'an unknown operator',
      { ...GOOD, operator: 'Gemm' },
      /k\/kernel\.json: operator is "Gemm"; it must be one of SimplifiedLayerNormalization/,
    ],
    ['a name that would break a table', { ...GOOD, name: 'a|b\n' }, /k\/kernel\.json: name is "a\|b\\n"; it must be 1 to 64 letters/],
    ['neither operator nor model', BARE, 'k/kernel.json: give either operator (one that ONNX Runtime ships) or model (your ONNX file)'],
    ['both', { ...GOOD, model: 'm.onnx' }, 'k/kernel.json: give either operator (one that ONNX Runtime ships) or model (your ONNX file)'],
    ['a list', [], /k\/kernel\.json: manifest is \[\]; it must be object$/],
    ['no JSON', '{"name": "x"', /k\/kernel\.json: not readable as JSON: /],
    [
      'a model of another kind',
      { ...BARE, model: 'fused.so' },
      /k\/kernel\.json: model is "fused\.so"; it must be the path of an \.onnx file$/,
    ],
    [
      'a model that is not there',
      { ...BARE, model: 'gone.onnx' },
      'k/kernel.json: model "gone.onnx" does not exist, or leads outside of the repository',
    ],
    [
      'a model outside of the repository',
      { ...BARE, model: '../../outside.onnx' },
      'k/kernel.json: model "../../outside.onnx" does not exist, or leads outside of the repository',
    ],
    ['a model that is a folder', { ...BARE, model: 'folder.onnx' }, 'k/kernel.json: model "folder.onnx" is not a file'],
  ])('with %s are refused', async (_word, manifest, message) => {
    const folder = await folderOf({ 'k/kernel.json': manifest, 'k/folder.onnx/x': 'x' });
    await writeFile(join(root.folder, 'outside.onnx'), 'x');
    const said = await refused(folder);
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  test('with a model behind a symbolic link to elsewhere are refused, and links to folders are not followed', async () => {
    const folder = await folderOf({ 'k/kernel.json': { ...BARE, model: 'link.onnx' } });
    await writeFile(join(root.folder, 'secret.onnx'), 'x');
    await symlink('../../secret.onnx', join(folder, 'k', 'link.onnx'));
    expect(await refused(folder)).toContain('leads outside of the repository');
    const round = await folderOf({ 'a/kernel.json': GOOD });
    await symlink('..', join(round, 'a', 'round'));
    expect(await loadManifests(round)).toHaveLength(1);
  });

  test('with the same name are refused, naming both files', async () => {
    const folder = await folderOf({ 'a/kernel.json': GOOD, 'b/kernel.json': GOOD });
    expect(await refused(folder)).toBe('b/kernel.json: name "good" is also the name of a/kernel.json; names must differ');
  });

  test('are all checked before anything is refused', async () => {
    const folder = await folderOf({
      'a/kernel.json': { ...GOOD, op: 'x' },
      'b/kernel.json': '',
      'c/kernel.json': { ...GOOD, extra: 1, more: 2 },
    });
    const lines = (await refused(folder)).split('\n').map((line) => line.split(':')[0]);
    expect(lines).toEqual(['a/kernel.json', 'b/kernel.json', 'c/kernel.json', 'c/kernel.json']);
  });

  test('of a megabyte are refused unread', async () => {
    const folder = await folderOf({ 'k/kernel.json': `"${'x'.repeat(2 ** 20)}"` });
    expect(await refused(folder)).toBe('k/kernel.json: not readable as JSON: larger than 1048576 bytes');
  });

  test('in a hostile folder name are shown harmlessly', async () => {
    const folder = await folderOf({ 'k\u001b[31m\n::error::x/kernel.json': '{' });
    expect(await refused(folder)).not.toMatch(/[\u001b]|\n::/);
  });

  test('in a thousand folders are enough', async () => {
    const files: Record<string, unknown> = {};
    for (let i = 0; i <= 1000; i++) files[`k${i}/kernel.json`] = { ...GOOD, name: `k${i}` };
    expect(await refused(await folderOf(files))).toMatch(/^kernels: more than 1000 kernel\.json files below .*; name a smaller folder$/);
  });
});

describe('a kernels folder', () => {
  test('that does not exist, is a file or is empty is refused', async () => {
    const folder = await folderOf({ file: 'x', 'empty/readme': 'x' });
    expect(await refused(join(folder, 'gone'))).toMatch(/^kernels: the folder ".*gone" does not exist$/);
    expect(await refused(join(folder, 'file'))).toMatch(
      /^kernels: ".*file" is a file; name the folder below which the kernel\.json files are$/,
    );
    expect(await refused(join(folder, 'empty'))).toMatch(
      /^kernels: no kernel\.json below ".*empty"; see docs\/kernels\.md for the manifest$/,
    );
  });
});

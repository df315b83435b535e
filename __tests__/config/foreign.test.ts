import { describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loosened } from '../../src/config/foreign.js';
import { loadConfig } from '../../src/config/load.js';

const place = (key: string): string => `file: ${key}`;
const rule = { model: 'a', reason: 'known', until: '2026-12-31' };

async function compare(theirs: object, ours: object): Promise<string[]> {
  const [a, b] = await Promise.all(
    [theirs, ours].map((overrides) => loadConfig({ cwd: '/work', source: null, overrides: { models: ['a'], ...overrides } })),
  );
  if (a === undefined || b === undefined) throw new Error('two were loaded');
  return loosened(a, b, '/work', place);
}

describe('a configuration beside the owners’ one', () => {
  it.each<[string, object, object]>([
    ['the same', { kernels: 'kernels', allow: [rule], prompts: ['x'] }, { kernels: 'kernels', allow: [rule], prompts: ['x'] }],
    ['more models', { models: ['b', 'a'] }, { models: ['a'] }],
    ['more verdicts that fail', { 'fail-on': 'INCOMPATIBLE, WARNING' }, { 'fail-on': 'INCOMPATIBLE' }],
    ['a stricter policy', { policy: 'strict' }, { policy: 'static' }],
    ['a GPU', { 'require-gpu': true }, {}],
    ['fewer and shorter allowances', { allow: [{ ...rule, until: '2026-12-30' }] }, { allow: [rule, { ...rule, kernel: 'k' }] }],
    ['another number of jobs at once, a baseline, no network', { jobs: 2, baseline: 'b.json', offline: true }, {}],
  ])('may ask for %s', async (_what, theirs, ours) => {
    expect(await compare(theirs, ours)).toEqual([]);
  });

  it.each<[string, object, object, string]>([
    [
      'fewer models',
      { models: ['a'] },
      { models: ['b', 'a'] },
      'file: models: lacks "b", which the base branch has; a pull request from another repository may only add to it',
    ],
    ['fewer verdicts that fail', { 'fail-on': 'never' }, { 'fail-on': 'WARNING' }, 'file: fail-on: lacks "WARNING"'],
    ['a looser policy', { policy: 'evidence' }, { policy: 'strict' }, 'file: policy: evidence is looser than strict'],
    ['no GPU', {}, { 'require-gpu': true }, 'file: require-gpu: is true on the base branch'],
    ['a new allowance', { allow: [rule] }, {}, 'file: allow: "a" up to 2026-12-31 is not allowed on the base branch'],
    ['a longer one', { allow: [{ ...rule, until: '2027-01-01' }] }, { allow: [rule] }, 'file: allow: "a" up to 2027-01-01'],
    ['one for all kernels', { allow: [rule] }, { allow: [{ ...rule, kernel: 'k' }] }, 'file: allow: "a" up to'],
    [
      'one for another kernel',
      { allow: [{ ...rule, kernel: 'j' }] },
      { allow: [{ ...rule, kernel: 'k' }] },
      'file: allow: "a", kernel "j" up to',
    ],
    [
      'other kernels',
      { kernels: 'mine' },
      { kernels: 'kernels' },
      'file: kernels: "mine" is not what the base branch has ("kernels"); a pull request from another repository may not change it',
    ],
    [
      'other machines',
      { 'runs-on': ['self-hosted'] },
      {},
      'file: runs-on: ["self-hosted"] is not what the base branch has ("ubuntu-latest")',
    ],
    [
      'them for one model',
      { runners: [{ models: ['a'], 'runs-on': 'gpu' }] },
      {},
      'file: runners: [{"models":["a"],"runs_on":"gpu"}] is not',
    ],
    ['more jobs', { shards: 256 }, {}, 'file: shards: 256 is not what the base branch has (4)'],
    ['another dtype', { dtype: 'float32' }, {}, 'file: dtype: "float32" is not what the base branch has ("auto")'],
    ['another provider', { 'execution-provider': 'cpu' }, {}, 'file: execution-provider: "cpu" is not'],
    [
      'other prompts',
      { prompts: ['x'] },
      { prompts: ['y'] },
      'file: prompts: [{"text":"x"}] is not what the base branch has ([{"text":"y"}])',
    ],
    ['shorter prompts', { 'max-prompt-tokens': 1 }, {}, 'file: max-prompt-tokens: 1 is not what the base branch has (64)'],
    ['fewer layers', { layers: '0' }, {}, 'file: layers: [0] is not what the base branch has ("all")'],
    ['another output', { output: 'x' }, {}, 'file: output: "x" is not what the base branch has ("fused-compat-report")'],
    [
      'a static threshold',
      { static: { 'score-warning': 0.5 } },
      {},
      'file: static.score-warning: 0.5 is not what the base branch has (0.8)',
    ],
    [
      'a numeric threshold',
      { numeric: { 'warn-ratio': 1e9 } },
      {},
      'file: numeric.warn-ratio: 1000000000 is not what the base branch has (4)',
    ],
  ])('may not ask for %s', async (_what, theirs, ours, line) => {
    const lines = await compare(theirs, ours);
    expect(lines).toEqual([expect.stringContaining(line)]);
    expect(lines[0]).toContain('; a pull request from another repository may ');
  });
});

describe('a confined configuration', () => {
  async function workspace(): Promise<string> {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'fused-compat-confined-')));
    await mkdir(join(root, 'inside'));
    await symlink('/usr/lib', join(root, 'linked'));
    await symlink('/etc/hostname', join(root, 'linked.txt'));
    await symlink(join(root, 'inside'), join(root, 'within'));
    await symlink('/no/such/folder', join(root, 'dangling'));
    await writeFile(join(root, 'prompts.txt'), 'hello\n');
    return root;
  }

  async function load(file: object, own: object = {}, overrides: object = {}) {
    const root = await workspace();
    const source = { name: 'file', path: join(root, 'file'), content: { models: ['inside'], ...file } };
    return loadConfig({ cwd: root, source, overrides: { ...overrides }, confine: { root, own: { ...own } } });
  }

  it.each<[string, object, RegExp]>([
    ['an absolute model', { models: ['inside', '/models/x'] }, /^file: models\[1\]: "\/models\/x" leads out of the workspace;/],
    ['a model above', { models: '../x' }, /^file: models.*: "\.\.\/x" leads out of the workspace;/],
    ['a model above after a way in', { models: ['inside/../../x'] }, /leads out of the workspace;/],
    ['a linked model', { models: ['linked'] }, /"linked" leads out of the workspace by a link/],
    ['a model below a link', { models: ['linked/x/y'] }, /"linked\/x\/y" leads out of the workspace by a link/],
    ['kernels elsewhere', { kernels: '/usr/lib' }, /^file: kernels: "\/usr\/lib" leads out/],
    ['linked kernels', { kernels: 'linked' }, /by a link/],
    ['prompts elsewhere', { prompts: '/etc/hostname.txt' }, /^file: prompts: /],
    ['linked prompts', { prompts: 'linked.txt' }, /^file: prompts: "linked.txt" leads out of the workspace by a link/],
    ['a baseline elsewhere', { baseline: '../report.json' }, /^file: baseline: /],
    ['an output elsewhere', { output: '/tmp/out' }, /^file: output: /],
    ['an output below a link', { output: 'linked/new/folder' }, /by a link/],
    ['an output that is a link to nothing yet', { output: 'dangling' }, /by a link/],
  ])('may not name %s', async (_what, file, message) => {
    await expect(load(file)).rejects.toThrow(message);
  });

  it('may name what is in the workspace, a link within it, and models on the Hub', async () => {
    const config = await load({ models: ['inside', 'within', './inside', 'org/name@main'], prompts: 'prompts.txt', output: 'new/folder' });
    expect(config.models.map(({ id }) => id)).toContain('org/name@main');
    expect(config.prompts).toEqual([{ text: 'hello' }]);
  });

  it('may name what its owners name, be it elsewhere, but not by a link of the stranger', async () => {
    const own = { models: ['/models/x'], kernels: '../kernels' };
    expect((await load(own, own)).kernels).toMatch(/kernels$/);
    await expect(load({ models: ['/models/y'] }, own)).rejects.toThrow('leads out of the workspace');
    await expect(load({ kernels: 'linked' }, { kernels: 'linked' })).rejects.toThrow('by a link');
  });

  it('is not about what an input or option names, but for links', async () => {
    expect((await load({}, {}, { models: ['/models/x'] })).models[0]?.path).toBe('/models/x');
    await expect(load({}, {}, { models: ['linked'] })).rejects.toThrow(/^--models.*"linked" leads out of the workspace by a link/);
  });

  it('says all that is wrong with it, unless a file would have to be read for it', async () => {
    await expect(load({ kernels: '/a', output: '/b', prompts: '/c.txt' })).rejects.toThrow(
      /kernels: "\/a"[\s\S]*prompts: "\/c.txt"[\s\S]*output: "\/b"/,
    );
  });
});

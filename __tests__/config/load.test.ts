import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, loadFailOn } from '../../src/config/load.js';
import type { LoadOptions } from '../../src/config/load.js';
import { UsageError } from '../../src/errors.js';

let root: string;
let folders = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fused-compat-config-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A fresh folder with these files; `sub/name` makes the subfolder. */
async function folder(files: Record<string, string | Buffer>): Promise<string> {
  const path = join(root, String(folders++));
  await mkdir(join(path, 'sub'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return path;
}

async function load(yaml: string, options: Partial<LoadOptions> = {}) {
  const cwd = await folder({ 'fused-compat.yml': yaml });
  return { cwd, config: await loadConfig({ cwd, ...options }) };
}

async function problem(yaml: string, options: Partial<LoadOptions> = {}): Promise<string> {
  const cwd = await folder({ 'fused-compat.yml': yaml });
  return problemOf(loadConfig({ cwd, ...options }));
}

async function problemOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message;
}

describe('loadConfig', () => {
  it('fills in every default of the design', async () => {
    const { cwd, config } = await load('models: [m]');
    expect(config).toEqual({
      models: [{ id: 'm', path: join(cwd, 'm') }],
      kernels: null,
      policy: 'evidence',
      fail_on: ['INCOMPATIBLE', 'IMPLEMENTATION_ISSUE', 'INCONCLUSIVE'],
      dtype: 'auto',
      execution_provider: 'auto',
      require_gpu: false,
      offline: false,
      prompts: null,
      max_prompt_tokens: 64,
      layers: 'all',
      jobs: null,
      baseline: null,
      allow: [],
      reproduce: ['--config', 'fused-compat.yml'],
      shards: 4,
      runs_on: 'ubuntu-latest',
      runners: [],
      output: join(cwd, 'fused-compat-report'),
      static: {
        extreme_weight: 10,
        ratio_warn: 15,
        ratio_fail: 20,
        extreme_share_warn: 0.3,
        extreme_share_fail: 0.5,
        max_weight_warn: 20,
        max_weight_fail: 50,
        ratio_weight: 0.4,
        extreme_layers_weight: 0.3,
        max_weight_weight: 0.3,
        amplification_per_weight: 0.001,
        score_incompatible: 0.5,
        score_warning: 0.8,
        compatible_ratio: 20,
        compatible_max_weight: 10,
      },
      numeric: { pass_ratio: 2, warn_ratio: 4, scale_standard_errors: 6, decisive_margin: 10 },
    });
  });

  it('works from overrides alone when there is no file', async () => {
    const cwd = await folder({});
    const config = await loadConfig({ cwd, overrides: { models: ['a', 'b'] } });
    expect(config.models).toEqual([
      { id: 'a', path: join(cwd, 'a') },
      { id: 'b', path: join(cwd, 'b') },
    ]);
  });

  it('lets overrides win over the file and keeps the rest of the file', async () => {
    const { config } = await load('models: [m]\npolicy: strict\ndtype: float16', { overrides: { policy: 'static' } });
    expect(config.policy).toBe('static');
    expect(config.dtype).toBe('float16');
  });

  it('takes an empty override, as an Action input gives, as not given', async () => {
    const { config } = await load('models: [m]\npolicy: strict', {
      overrides: { policy: '', 'require-gpu': '', models: [], layers: undefined },
    });
    expect(config.policy).toBe('strict');
    expect(config.models).toHaveLength(1);
  });

  it('reads text overrides as the type of their key', async () => {
    const { config } = await load('', {
      overrides: { models: 'a\nb, c\n', 'require-gpu': 'true', 'max-prompt-tokens': '16', 'fail-on': 'warning, INCOMPATIBLE', layers: '3' },
    });
    expect(config.models.map((model) => model.id)).toEqual(['a', 'b', 'c']);
    expect(config).toMatchObject({ require_gpu: true, max_prompt_tokens: 16, fail_on: ['WARNING', 'INCOMPATIBLE'], layers: [3] });
  });

  it('reads jobs as a number, from the file and from text, and takes null for what suits the policy', async () => {
    expect((await load('models: [m]\njobs: 3')).config.jobs).toBe(3);
    expect((await load('models: [m]\njobs: 3', { overrides: { jobs: '12' } })).config.jobs).toBe(12);
    expect((await load('models: [m]\njobs: null')).config.jobs).toBeNull();
    expect(await problem('models: [m]\njobs: 1.5')).toBe(
      'fused-compat.yml: jobs: 1.5 is not allowed; allowed: a whole number from 1 to 64',
    );
    expect(await problem('models: [m]\njobs: 0')).toBe('fused-compat.yml: jobs: 0 is out of range; allowed: >= 1');
  });

  it('reads known failures, each with its model, reason and last day', async () => {
    const { config } = await load(
      'models: [m]\nallow:\n  - { model: m, reason: see issue 12, until: 2026-02-28 }\n  - { model: n, kernel: k, reason: r, until: "2028-02-29" }',
    );
    expect(config.allow).toEqual([
      { model: 'm', kernel: null, reason: 'see issue 12', until: '2026-02-28' },
      { model: 'n', kernel: 'k', reason: 'r', until: '2028-02-29' },
    ]);
  });

  it('finds the baseline beside the file that names it, or in the working directory', async () => {
    const cwd = await folder({ 'sub/c.yml': 'models: [m]\nbaseline: base/report.json' });
    expect((await loadConfig({ cwd, file: 'sub/c.yml' })).baseline).toBe(join(cwd, 'sub/base/report.json'));
    expect((await loadConfig({ cwd, overrides: { models: 'm', baseline: 'base/report.json' } })).baseline).toBe(
      join(cwd, 'base/report.json'),
    );
  });

  it('knows the arguments that give it again', async () => {
    const overrides = {
      models: 'm',
      kernels: 'my kernels',
      'fail-on': 'WARNING,\n INCOMPATIBLE',
      'require-gpu': 'true',
      layers: '0,2-3',
      jobs: '2',
      prompts: ['a', { text: "it's\n\u202e\ue000 모델 👩🏽‍🔬" }, { input_ids: [1, 2] }],
    };
    const { config, cwd } = await load('dtype: float16', { overrides });
    expect(config.reproduce).toEqual([
      '--config',
      'fused-compat.yml',
      '--kernels',
      'my kernels',
      '--fail-on',
      'WARNING,INCOMPATIBLE',
      '--require-gpu',
      '--prompts',
      // What is not shown as it is stands as its escape.
      `["a",{"text":"it's\\n\\u202e\\ue000 모델 👩🏽\\u200d🔬"},{"input-ids":[1,2]}]`,
      '--layers',
      '0,2-3',
    ]);
    const again = await loadConfig({
      cwd,
      overrides: {
        models: 'm',
        kernels: 'my kernels',
        'fail-on': 'WARNING,INCOMPATIBLE',
        'require-gpu': true,
        layers: '0,2-3',
        prompts: config.reproduce[config.reproduce.indexOf('--prompts') + 1],
      },
    });
    expect({ ...again, jobs: 0 }).toEqual({ ...config, jobs: 0 });
  });

  it('names paths of its own folder as they are called everywhere, and others as they were given', async () => {
    const cwd = await folder({ 'sub/my.yml': 'models: [m]', 'sub/p.txt': 'hello' });
    const args = async (file: string, kernels: string, prompts: string) =>
      (await loadConfig({ cwd, file, overrides: { kernels, prompts } })).reproduce;
    const inside = ['--config', 'sub/my.yml', '--kernels', 'kernels', '--prompts', 'sub/p.txt'];
    expect(await args(join(cwd, 'sub/my.yml'), join(cwd, 'kernels'), join(cwd, 'sub/p.txt'))).toEqual(inside);
    expect(await args('sub/my.yml', 'kernels', 'sub/p.txt')).toEqual(inside);
    const elsewhere = await folder({ 'my.yml': 'models: [m]', 'p.txt': 'hello' });
    const [file, prompts] = [join(elsewhere, 'my.yml'), join(elsewhere, 'p.txt')];
    expect(await args(file, elsewhere, prompts)).toEqual(['--config', file, '--kernels', elsewhere, '--prompts', prompts]);
  });

  it('accepts snake_case spelling, but not a key in both spellings', async () => {
    const { config } = await load('models: [m]\nfail_on: never\nnumeric: { pass_ratio: 3 }');
    expect(config.fail_on).toEqual([]);
    expect(config.numeric.pass_ratio).toBe(3);
    expect(await problem('models: [m]\nfail_on: never\nfail-on: never')).toBe(
      'fused-compat.yml: fail-on: is given twice, as fail-on and as fail_on; keep one',
    );
    expect(await problem('models: [m]\nnumeric: { pass_ratio: 1, pass-ratio: 1 }')).toContain('numeric.pass-ratio: is given twice');
  });

  it('resolves paths of the file against its folder, those of overrides against the working directory, and keeps ids as written', async () => {
    const cwd = await folder({ 'sub/my.yml': 'models: [../m/]\nkernels: k\noutput: out\nprompts: p.txt', 'sub/p.txt': 'hello\n' });
    const fromFile = await loadConfig({ file: 'sub/my.yml', cwd });
    expect(fromFile).toMatchObject({
      models: [{ id: '../m/', path: join(cwd, 'm') }],
      kernels: join(cwd, 'sub/k'),
      output: join(cwd, 'sub/out'),
    });
    expect(fromFile.prompts).toEqual([{ text: 'hello' }]);
    const overridden = await loadConfig({ file: 'sub/my.yml', cwd, overrides: { models: ['./x'], kernels: 'k', output: 'out' } });
    // What a report of this file names means the same when it is pasted.
    const pasted = await loadConfig({ file: 'sub/my.yml', cwd, overrides: { models: ['../m/', 'm'] } });
    expect(pasted.models).toEqual([{ id: '../m/', path: join(cwd, 'm') }]);
    const named = await loadConfig({ file: 'sub/my.yml', cwd, overrides: { models: ['n'] } });
    expect(named.models).toEqual([{ id: 'n', path: join(cwd, 'n') }]);
    expect(overridden).toMatchObject({ models: [{ id: './x', path: join(cwd, 'x') }], kernels: join(cwd, 'k'), output: join(cwd, 'out') });
  });

  it('puts the default output folder into the working directory even when the file is elsewhere', async () => {
    const cwd = await folder({ 'sub/my.yml': 'models: [m]' });
    expect((await loadConfig({ file: 'sub/my.yml', cwd })).output).toBe(join(cwd, 'fused-compat-report'));
  });

  it('checks a folder that is named twice once', async () => {
    const { config } = await load('models: [m, ./m, n]');
    expect(config.models.map((model) => model.id)).toEqual(['m', 'n']);
  });

  it('reads layers as all, numbers and ranges', async () => {
    const layers = async (value: string) => (await load(`models: [m]\nlayers: ${value}`)).config.layers;
    expect(await layers('all')).toBe('all');
    expect(await layers('7')).toEqual([7]);
    expect(await layers('"10-12, 0,5,11"')).toEqual([0, 5, 10, 11, 12]);
    expect(await layers('[3, "1-2"]')).toEqual([1, 2, 3]);
  });

  it('takes fail-on in any case, as list or text, and never', async () => {
    const failOn = async (value: string) => (await load(`models: [m]\nfail-on: ${value}`)).config.fail_on;
    expect(await failOn('[Warning, implementation-issue]')).toEqual(['WARNING', 'IMPLEMENTATION_ISSUE']);
    expect(await failOn('incompatible,INCOMPATIBLE')).toEqual(['INCOMPATIBLE']);
    expect(await failOn('Never')).toEqual([]);
  });
});

describe('prompts', () => {
  it('come inline as text, text objects and token ids', async () => {
    const { config } = await load('models: [m]\nprompts: [one, {text: two}, {input-ids: [1, 2]}, {input_ids: [3]}]');
    expect(config.prompts).toEqual([{ text: 'one' }, { text: 'two' }, { input_ids: [1, 2] }, { input_ids: [3] }]);
  });

  it('come from a .txt file, one per line', async () => {
    const cwd = await folder({ 'p.txt': 'one\r\n\n  two\nthree' });
    const config = await loadConfig({ cwd, overrides: { models: ['m'], prompts: 'p.txt' } });
    expect(config.prompts).toEqual([{ text: 'one' }, { text: '  two' }, { text: 'three' }]);
  });

  it('come from a .json file', async () => {
    const cwd = await folder({ 'p.json': '["one", {"text": "two"}, {"input_ids": [1]}]' });
    const config = await loadConfig({ cwd, overrides: { models: ['m'], prompts: 'p.json' } });
    expect(config.prompts).toEqual([{ text: 'one' }, { text: 'two' }, { input_ids: [1] }]);
  });

  it('come as such a list itself, on the command line', async () => {
    const prompts = '["one", {"text": "[INST] two"}, {"input-ids": [1]}, {"input_ids": [2]}]';
    const config = await loadConfig({ cwd: await folder({}), overrides: { models: ['m'], prompts } });
    expect(config.prompts).toEqual([{ text: 'one' }, { text: '[INST] two' }, { input_ids: [1] }, { input_ids: [2] }]);
  });

  it.each([
    ['[INST] one [/INST]', '--prompts: is not JSON'],
    ['[]', '--prompts: [] is empty'],
    ['[1]', '--prompts[0]: 1 is not allowed'],
    ['[{"input_ids": [1, -1]}]', '--prompts[0].input-ids[1]: -1 is out of range; allowed: >= 0'],
    ['[{"input_ids": [1], "input-ids": [2]}]', 'is given twice, as input-ids and as input_ids'],
  ])('as the list %s are refused with the reason', async (prompts, message) => {
    expect(await problemOf(loadConfig({ cwd: await folder({}), overrides: { models: ['m'], prompts } }))).toContain(message);
  });

  it.each([
    ['missing.txt', 'missing.txt: the prompts file does not exist'],
    ['Hello world', 'must be a .txt file (one prompt per line) or a .json file'],
    ['empty.txt', 'empty.txt: holds no prompt'],
    ['bad.json', 'bad.json: is not JSON'],
    ['object.json', 'object.json: must be a JSON list'],
    ['ids.json', 'prompts[0].input-ids[1]: -1 is out of range; allowed: >= 0'],
    ['both.json', 'allowed: exactly one of text, input-ids'],
    ['latin1.txt', 'latin1.txt: the prompts file is not UTF-8 text'],
    ['huge.txt', 'huge.txt: the prompts file has 8388609 bytes; at most 8388608 are read'],
    ['sub.txt', 'sub.txt: the prompts file is not a regular file'],
  ])('in %s are refused with the reason', async (name, message) => {
    const cwd = await folder({
      'empty.txt': '\n \n',
      'bad.json': '[',
      'object.json': '{"text": "x"}',
      'ids.json': '[{"input_ids": [1, -1]}]',
      'both.json': '[{"text": "x", "input_ids": [1]}]',
      'latin1.txt': Buffer.from([0xe9, 0x0a]),
      'huge.txt': 'x'.repeat((8 << 20) + 1),
    });
    await mkdir(join(cwd, 'sub.txt'));
    expect(await problemOf(loadConfig({ cwd, overrides: { models: ['m'], prompts: name } }))).toContain(message);
  });
});

describe('a configuration error', () => {
  it.each([
    ['polcy: strict', 'fused-compat.yml: polcy: is not a known key; did you mean policy?'],
    ['zzz: 1', 'fused-compat.yml: zzz: is not a known key; known keys: models, kernels, policy, fail-on'],
    ['numeric: { pas-ratio: 1 }', 'fused-compat.yml: numeric.pas-ratio: is not a known key; did you mean pass-ratio?'],
    ['policy: strikt', 'fused-compat.yml: policy: "strikt" is not allowed; allowed: evidence, strict, static (did you mean strict?)'],
    ['dtype: bf16', 'fused-compat.yml: dtype: "bf16" is not allowed; allowed: auto, bfloat16, float16, float32'],
    [
      'fail-on: [INCOMPATIBEL]',
      'fused-compat.yml: fail-on[0]: "INCOMPATIBEL" is not allowed; allowed: INCOMPATIBLE, IMPLEMENTATION_ISSUE, INCONCLUSIVE, WARNING, COMPATIBLE, or never alone (did you mean INCOMPATIBLE?)',
    ],
    ['fail-on: []', 'fused-compat.yml: fail-on: [] is empty; allowed:'],
    ['fail-on: none', '"NONE" is not allowed; allowed: INCOMPATIBLE, IMPLEMENTATION_ISSUE'],
    ['require-gpu: "yes"', 'fused-compat.yml: require-gpu: "yes" is not allowed; allowed: true or false'],
    ['max-prompt-tokens: 0', 'fused-compat.yml: max-prompt-tokens: 0 is out of range; allowed: >= 1'],
    ['max-prompt-tokens: 1.5', 'fused-compat.yml: max-prompt-tokens: 1.5 is not allowed; allowed: a whole number'],
    ['layers: some', 'fused-compat.yml: layers: "some" is not allowed; allowed: all, or layer numbers and ranges'],
    ['layers: [-1]', 'fused-compat.yml: layers[0]: -1 is out of range; allowed: >= 0'],
    ['layers: 5-3', 'fused-compat.yml: layers: "5-3" runs backwards'],
    ['numeric: { pass-ratio: 5 }', 'fused-compat.yml: numeric.pass-ratio: 5 is above numeric.warn-ratio (4); allowed: at most 4'],
    ['static: { score-incompatible: 0.9 }', 'fused-compat.yml: static.score-incompatible: 0.9 is above static.score-warning (0.8)'],
    ['static: { extreme-share-fail: 1.5 }', 'fused-compat.yml: static.extreme-share-fail: 1.5 is out of range; allowed: <= 1'],
    ['numeric: { pass-ratio: .nan }', 'fused-compat.yml: numeric.pass-ratio: null is not allowed'],
    ['{ require-gpu: true, execution-provider: cpu }', 'require-gpu: true contradicts execution-provider cpu'],
    [
      'allow: yes',
      'fused-compat.yml: allow: "yes" is not allowed; allowed: a list of {model: ..., kernel: ..., reason: ..., until: YYYY-MM-DD}',
    ],
    [
      'allow: [{ model: m, until: 2026-01-01 }]',
      'fused-compat.yml: allow[0]: {"model":"m","until":"2026-01-01"} lacks reason; allowed: a list of',
    ],
    ['allow: [{ model: m, reason: r, until: soon }]', 'fused-compat.yml: allow[0].until: "soon" is not allowed; allowed: a list of'],
    [
      'allow: [{ model: m, reason: r, until: 2026-02-30 }]',
      'fused-compat.yml: allow[0].until: "2026-02-30" is no day; allowed: such as 2026-12-31',
    ],
    ['allow: [{ model: m, reason: r, until: 2026-13-01 }]', 'fused-compat.yml: allow[0].until: "2026-13-01" is no day'],
    ['allow: [{ model: m, reason: "", until: 2026-12-01 }]', 'fused-compat.yml: allow[0].reason: "" is empty'],
    ['allow: [{ modle: m, reason: r, until: 2026-12-01 }]', 'fused-compat.yml: allow[0].modle: is not a known key; did you mean model?'],
    ['baseline: ""', 'fused-compat.yml: baseline: "" is empty'],
    ['static: 3', 'fused-compat.yml: static: 3 is not allowed; allowed: a mapping'],
    ['prompts: []', 'fused-compat.yml: prompts: [] is empty'],
    ['kernels: ""', 'fused-compat.yml: kernels: "" is empty'],
  ])('in "%s" names file, key, value and what is allowed', async (yaml, message) => {
    expect(await problem(yaml, { overrides: { models: ['m'] } })).toContain(message);
  });

  it.each([
    ['', 'models: no model to check: fused-compat.yml has no models'],
    ['models: []', 'fused-compat.yml: models: [] is empty; allowed: a list of models'],
    ['models: [""]', 'fused-compat.yml: models[0]: "" is empty'],
    ['models: [1]', 'fused-compat.yml: models[0]: 1 is not allowed'],
    ['models:', 'fused-compat.yml: models: null is not allowed'],
  ])('is raised when "%s" names no model', async (yaml, message) => {
    expect(await problem(yaml)).toContain(message);
  });

  it('says that there is no file when there is none', async () => {
    expect(await problemOf(loadConfig({ cwd: await folder({}) }))).toContain('there is no fused-compat.yml here');
  });

  it('lists every problem, one line each', async () => {
    expect((await problem('polcy: x\ndtype: y\nmax-prompt-tokens: -1')).split('\n')).toHaveLength(4);
  });

  it('names the option or the input that the value came from', async () => {
    const overrides = { policy: 'x', 'fail-on': 'y', 'max-prompt-tokens': 'z' };
    expect(await problem('models: [m]', { overrides })).toMatch(/^--policy: "x".*\n--fail-on: "Y".*\n--max-prompt-tokens: "z"/);
    expect(await problem('models: [m]', { overrides, nameOverride: (key) => `input ${key}` })).toContain(
      'input policy: "x" is not allowed',
    );
  });

  it('does not complain about a value of the file that an override replaces', async () => {
    expect((await load('models: [m]\npolicy: x', { overrides: { policy: 'strict' } })).config.policy).toBe('strict');
  });
});

describe('a hostile or broken file', () => {
  it.each([
    ['policy: strict\npolicy: static', /^fused-compat\.yml:2:1: Map keys must be unique/],
    ['policy: [', /^fused-compat\.yml:1:/],
    ['policy: !!js/function "x"', /Unresolved tag/],
    ['a: 1\n---\nb: 2', /^fused-compat\.yml:2:/],
    ['? [a]\n: 1', /keys must be strings/],
    ['- m', /must be a mapping of keys to values/],
    ['just text', /must be a mapping/],
    ['__proto__: { policy: strict }', /is not a known key/],
    ['constructor: 1', /constructor: is not a known key/],
  ])('"%s" is refused', async (yaml, message) => {
    expect(await problem(yaml, { overrides: { models: ['m'] } })).toMatch(message);
  });

  it('cannot expand aliases without end', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9).slice(0, -1)}]`),
    ].join('\n');
    expect(await problem(bomb)).toContain('Excessive alias count');
  });

  it('larger than 1 MiB is not read', async () => {
    expect(await problem(`# ${'x'.repeat(1 << 20)}`)).toContain('at most 1048576 are read');
  });

  it('that is named but missing is an error, and so is a folder', async () => {
    const cwd = await folder({});
    expect(await problemOf(loadConfig({ file: 'nope.yml', cwd }))).toContain('nope.yml: the configuration file does not exist');
    expect(await problemOf(loadConfig({ file: 'sub', cwd }))).toContain('sub: the configuration file is not a regular file');
  });

  it('with a twin of the other extension is ambiguous', async () => {
    const cwd = await folder({ 'fused-compat.yml': '', 'fused-compat.yaml': '' });
    expect(await problemOf(loadConfig({ cwd }))).toContain('both fused-compat.yml and fused-compat.yaml exist');
    const single = await folder({ 'fused-compat.yaml': 'models: [m]' });
    expect((await loadConfig({ cwd: single })).models).toHaveLength(1);
  });
});

describe('runners', () => {
  it('take labels as text, as a list, and with either spelling of their keys', async () => {
    const { config } = await load('models: [a, b]\nruns_on: [self-hosted, gpu]\nrunners: [{models: [b], runs_on: big}]');
    expect(config.runs_on).toEqual(['self-hosted', 'gpu']);
    expect(config.runners).toEqual([{ models: ['b'], runs_on: 'big' }]);
    expect((await load('models: [m]\nruns-on: self-hosted, gpu')).config.runs_on).toEqual(['self-hosted', 'gpu']);
    expect((await load('models: [m]', { overrides: { 'runs-on': 'gpu\nlarge', shards: '7' } })).config).toMatchObject({
      runs_on: ['gpu', 'large'],
      shards: 7,
    });
  });

  it.each([
    ['runners: [{models: [m]}]', /runners\[0\]: .* lacks runs-on/],
    ['runners: [{models: [], runs-on: x}]', /runners\[0\]\.models: .* is empty/],
    ['runners: {m: gpu}', /runners: .* allowed: a list of \{models/],
    ['runs-on: []', /runs-on: .* is empty/],
    ['runs-on: {group: x}', /runs-on: .* allowed: a runner's label/],
    ['shards: 0', /shards: 0 is out of range/],
  ])('refuse %s by name', async (yaml, message) => {
    expect(await problem(`models: [m]\n${yaml}`)).toMatch(message);
  });
});

describe('fail-on alone', () => {
  it('is read as in a configuration', () => {
    expect(loadFailOn('incompatible, warning', 'input fail-on')).toEqual(['INCOMPATIBLE', 'WARNING']);
    expect(loadFailOn('never', 'x')).toEqual([]);
    expect(() => loadFailOn('RED', 'input fail-on')).toThrow(/^input fail-on: "RED" is not allowed/);
  });
});

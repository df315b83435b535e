import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gate, Output, ReferenceRequest } from '../../src/cli/commands.js';
import { run } from '../../src/cli/program.js';
import type { Config } from '../../src/config/types.js';
import { ModelError } from '../../src/errors.js';
import type { Report } from '../../src/report/types.js';
import { report } from '../support/report.js';
import { failing, hostile, passing, sensitive } from '../report/sample.js';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'fused-compat-cli-'));
  await writeFile(join(cwd, 'file'), '');
  await writeFile(join(cwd, 'strict.yml'), 'models: [from-file]\npolicy: strict\noutput: from-file-out\n');
});
afterAll(() => rm(cwd, { recursive: true }));

interface Outcome {
  code: number;
  out: string;
  err: string;
  configs: Config[];
  requests: ReferenceRequest[];
}

interface Setting {
  models?: Report['models'];
  changes?: Partial<Report>;
  throws?: Error;
  stdout?: Partial<Output>;
  stderr?: Partial<Output>;
  env?: Record<string, string>;
}

/** The program with a gate that gives a made report; everything else is real. */
async function cli(
  args: string[],
  { models = [passing], changes = {}, throws, stdout = {}, stderr = {}, env = {} }: Setting = {},
): Promise<Outcome> {
  const outcome: Outcome = { code: -1, out: '', err: '', configs: [], requests: [] };
  const job: Gate['check'] = (config, { log }) => {
    outcome.configs.push(config);
    log?.('reading \u001b[31mweights');
    return throws === undefined ? Promise.resolve(report(models, changes)) : Promise.reject(throws);
  };
  const gate: Gate = {
    check: job,
    reference: (request) => {
      outcome.requests.push(request);
      return throws === undefined
        ? Promise.resolve({ tensors: [{ name: 'logits', dtype: 'F64', shape: [3, 100] }] })
        : Promise.reject(throws);
    },
  };
  outcome.code = await run(args, {
    stdout: { write: (text) => (outcome.out += text), ...stdout },
    stderr: { write: (text) => (outcome.err += text), ...stderr },
    env,
    cwd,
    loadGate: () => Promise.resolve(gate),
  });
  return outcome;
}

async function exists(path: string): Promise<boolean> {
  return access(join(cwd, path)).then(
    () => true,
    () => false,
  );
}

describe('fused-compat check', () => {
  it('prints the table, writes both reports and exits 0 when the gate passes', async () => {
    const { code, out, err } = await cli(['check', 'm', '--output', 'out-pass']);
    expect(code).toBe(0);
    expect(out).toContain('│ models/tinyllama-mini │ COMPATIBLE │');
    expect(out).toMatch(/gate passed: 1 COMPATIBLE.*\nreport: out-pass\/report\.md and report\.json\n$/s);
    expect(err).toBe('');
    expect(JSON.parse(await readFile(join(cwd, 'out-pass/report.json'), 'utf8'))).toEqual(report([passing]));
    expect(await exists('out-pass/report.md')).toBe(true);
  });

  it('exits 1 when the gate fails', async () => {
    expect((await cli(['check', 'm', '--output', 'out-fail'], { models: [failing, passing] })).code).toBe(1);
  });

  it('hands every option to the configuration', async () => {
    const words =
      'check a b --kernels k --policy strict --fail-on warning,incompatible --dtype float16 --execution-provider webgpu --require-gpu --output o --layers 0,2-3 --jobs 3 --baseline base.json --offline';
    await writeFile(join(cwd, 'p.txt'), 'hello\n');
    const { configs } = await cli([...words.split(' '), '--prompts', 'p.txt']);
    expect(configs[0]).toMatchObject({
      models: [
        { id: 'a', path: join(cwd, 'a') },
        { id: 'b', path: join(cwd, 'b') },
      ],
      kernels: join(cwd, 'k'),
      policy: 'strict',
      fail_on: ['WARNING', 'INCOMPATIBLE'],
      dtype: 'float16',
      execution_provider: 'webgpu',
      require_gpu: true,
      output: join(cwd, 'o'),
      layers: [0, 2, 3],
      jobs: 3,
      baseline: join(cwd, 'base.json'),
      offline: true,
      prompts: [{ text: 'hello' }],
    });
  });

  it('takes prompts themselves as a list, as reports give them back', async () => {
    const { configs } = await cli(['check', 'a', '--output', 'out-prompts', '--prompts', '["hello", {"input-ids": [1, 2]}]']);
    expect(configs[0]).toMatchObject({ prompts: [{ text: 'hello' }, { input_ids: [1, 2] }] });
    expect((await cli(['check', 'a', '--prompts', '[hello]'])).err).toContain('error: --prompts: is not JSON');
  });

  it('takes models and settings from the file that --config names, and its options win', async () => {
    const { configs } = await cli(['check', '--config', 'strict.yml', '--policy', 'static']);
    expect(configs[0]).toMatchObject({ models: [{ id: 'from-file' }], policy: 'static', output: join(cwd, 'from-file-out') });
  });

  it.each([
    ['json', (text: string) => expect(JSON.parse(text)).toEqual(report([passing]))],
    ['markdown', (text: string) => expect(text).toMatch(/^## ✅ fused-compat gate passed/)],
  ])('prints nothing but %s with --format %s', async (format, judge) => {
    const { out } = await cli(['check', 'm', '--format', format, '--output', `out-${format}`]);
    judge(out);
  });

  it('prints only the line of the gate with --quiet', async () => {
    const { out } = await cli(['check', 'm', '--quiet', '--output', 'out-quiet'], { models: [failing] });
    expect(out.replace(/\s+/g, ' ').trim()).toMatch(/^gate failed: 1 INCOMPATIBLE \(policy evidence, fails on [A-Z_, ]+\)$/);
  });

  it('still prints the verdict when the output folder cannot be written, and exits 3', async () => {
    const { code, out, err } = await cli(['check', 'm', '--output', 'file/sub']);
    expect(code).toBe(3);
    expect(out).toContain('gate passed: 1 COMPATIBLE');
    expect(err).toMatch(/^error: cannot write the report to .*file\/sub: .*ENOTDIR.*\n$/);
  });

  it('exits 1 rather than 3 when the gate failed as well', async () => {
    const { code, err } = await cli(['check', 'm', '--output', 'file/sub'], { models: [failing] });
    expect(code).toBe(1);
    expect(err).toContain('cannot write the report');
  });
});

describe('fused-compat inspect', () => {
  it('asks for the static policy and writes no file', async () => {
    const { code, configs } = await cli(['inspect', 'm'], { models: [sensitive], changes: { policy: 'static' } });
    expect(code).toBe(0);
    expect(configs[0]?.policy).toBe('static');
    expect(await exists('fused-compat-report')).toBe(false);
  });

  it('judges as many models at the same time as --jobs says, else as suits it', async () => {
    expect((await cli(['inspect', 'a', 'b', '--jobs', '2'])).configs[0]).toMatchObject({ jobs: 2 });
    expect((await cli(['inspect', 'a', 'b'])).configs[0]).toMatchObject({ jobs: null });
  });

  it('writes the report where --output says, and exits by the gate', async () => {
    const { code } = await cli(['inspect', 'm', '--output', 'out-inspect'], { models: [failing] });
    expect(code).toBe(1);
    expect(await exists('out-inspect/report.json')).toBe(true);
  });

  it('does not write where only the file says', async () => {
    await writeFile(join(cwd, 'inspect.yml'), 'models: [m]\noutput: inspect-out\n');
    await cli(['inspect', '--config', 'inspect.yml']);
    expect(await exists('inspect-out')).toBe(false);
    await cli(['check', '--config', 'inspect.yml']);
    expect(await exists('inspect-out')).toBe(true);
  });
});

describe('fused-compat reference', () => {
  it('asks for text or token ids and says what it wrote', async () => {
    const text = await cli(['reference', 'm', '--prompt', 'In the beginning']);
    expect(text.requests[0]).toEqual({
      model: { id: 'm', path: join(cwd, 'm') },
      prompt: { text: 'In the beginning' },
      recipe: 'oracle',
      dtype: 'auto',
      offline: false,
      output: join(cwd, 'reference.safetensors'),
    });
    expect(text.out).toBe('logits F64 [3, 100]\nwritten to reference.safetensors\n');
    const ids = await cli([
      'reference',
      'm',
      '--input-ids',
      '1, 2,3',
      '--recipe',
      'eager',
      '--dtype',
      'float16',
      '--output',
      'x.safetensors',
      '--offline',
    ]);
    expect(ids.requests[0]).toMatchObject({
      prompt: { input_ids: [1, 2, 3] },
      recipe: 'eager',
      dtype: 'float16',
      offline: true,
      output: join(cwd, 'x.safetensors'),
    });
  });

  it.each([
    [[], 'exactly one of --prompt TEXT and --input-ids'],
    [['--prompt', 'a', '--input-ids', '1'], 'exactly one of'],
    [['--prompt', ''], '--prompt: "" is empty'],
    [['--input-ids', '1,x'], '--input-ids: "x" is not a token id'],
    [['--input-ids', '1,,2'], '--input-ids: "" is not a token id'],
    [['--input-ids=-1'], '--input-ids: "-1" is not a token id'],
    [['--input-ids', '1', '--recipe', 'fast'], "argument 'fast' is invalid. Allowed choices are oracle, eager"],
  ])('refuses %j', async (args, message) => {
    const { code, err, requests } = await cli(['reference', 'm', ...args]);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(requests).toEqual([]);
  });

  it('exits 3 with the reason when the model is broken', async () => {
    const { code, err } = await cli(['reference', 'm', '--prompt', 'a'], { throws: new ModelError('tensor_missing', 'no lm_head.weight') });
    expect(code).toBe(3);
    expect(err).toBe('error: no lm_head.weight\n');
  });
});

describe('wrong usage', () => {
  it.each([
    [['chekc'], "unknown command 'chekc'\n(Did you mean check?)"],
    [['check', '--polcy', 'x'], "unknown option '--polcy'\n(Did you mean --policy?)"],
    [['check', '--format', 'html'], 'Allowed choices are table, json, markdown'],
    [['check', 'm', '--policy', 'strikt'], '--policy: "strikt" is not allowed; allowed: evidence, strict, static (did you mean strict?)'],
    [['check', 'm', '--layers', 'x'], '--layers: "x" is not allowed'],
    [['inspect', 'm', '--jobs', '0'], '--jobs: 0 is out of range; allowed: >= 1'],
    [['check', 'm', '--jobs', '65'], '--jobs: 65 is out of range; allowed: <= 64'],
    [['check', 'm', '--jobs', 'many'], '--jobs: "many" is not allowed; allowed: a whole number from 1 to 64'],
    [['check', 'm', '--config', 'missing.yml'], 'missing.yml: the configuration file does not exist'],
    [['check'], 'models: no model to check'],
    [['check', ''], 'MODEL: "" is empty'],
    [['inspect', '--kernels', 'k'], "unknown option '--kernels'"],
    [['reference'], "missing required argument 'MODEL'"],
  ])('%j exits 2 and says what is right', async (args, message) => {
    const { code, out, err, configs } = await cli(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(out).toBe('');
    expect(configs).toEqual([]);
  });

  it('without a command shows the help on stderr and exits 2', async () => {
    const { code, out, err } = await cli([]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Usage: fused-compat');
  });

  it('does not repeat control characters of what was typed', async () => {
    for (const args of [['\u001b[2J'], ['check', '--\u001b[2J'], ['check', 'm', '--policy', '\u001b[2J\u009b']]) {
      expect((await cli(args)).err.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    }
  });
});

describe('help', () => {
  it.each([['--help'], ['check', '--help'], ['inspect', '--help'], ['reference', '--help'], ['help', 'check']])(
    '%s %s is on stdout and exits 0',
    async (...args) => {
      const { code, out, err } = await cli(args);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain('Usage: fused-compat');
    },
  );

  it('lists every option of check that the design names', async () => {
    const { out } = await cli(['check', '--help']);
    for (const name of 'config kernels policy fail-on dtype execution-provider require-gpu prompts output format layers jobs baseline offline quiet'.split(
      ' ',
    )) {
      expect(out).toContain(`--${name}`);
    }
    expect(out).toContain('Exit codes: 0');
  });

  it.each(['check', 'inspect'])('says what a model of %s can be', async (command) => {
    const { out } = await cli([command, '--help']);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'a folder, org/name[@revision] or org/name/file.gguf[@revision] on the Hugging Face Hub, or a .gguf, .onnx, .safetensors or .bin file',
    );
  });

  it('tells the version of package.json', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect((await cli(['--version'])).out).toBe(`${version}\n`);
  });
});

describe('a defect', () => {
  const broken = new TypeError('x is undefined\n    at somewhere');

  it('is one line on stderr and exit code 3', async () => {
    const { code, out, err } = await cli(['check', 'm'], { throws: broken });
    expect(code).toBe(3);
    expect(out).toBe('');
    expect(err).toMatch(/^error: internal error: x is undefined .*FUSED_COMPAT_DEBUG=1 shows where\)\n$/);
  });

  it('shows its stack only when asked', async () => {
    const { err } = await cli(['check', 'm'], { throws: broken, env: { FUSED_COMPAT_DEBUG: '1' } });
    expect(err).toContain('TypeError: x is undefined');
    expect(err).toMatch(/\n\s+at /);
  });
});

describe('a terminal', () => {
  it('gets progress on stderr that is gone at the end, without control characters of its own', async () => {
    const { err } = await cli(['check', 'm', '--output', 'out-tty'], { stderr: { isTTY: true, columns: 80 } });
    expect(err).toBe('\r\u001b[2Kreading \ufffd[31mweights\r\u001b[2K');
  });

  it.each<[string, Setting, string[]]>([
    ['a pipe', {}, []],
    ['--quiet', { stderr: { isTTY: true } }, ['--quiet']],
    ['a dumb terminal', { stderr: { isTTY: true }, env: { TERM: 'dumb' } }, []],
  ])('means no progress for %s', async (_, setting, args) => {
    expect((await cli(['check', 'm', '--output', 'out-pipe', ...args], setting)).err).toBe('');
  });

  it('gets colours unless NO_COLOR is set; a pipe never does', async () => {
    const out = async (setting: Setting) => (await cli(['check', 'm', '--output', 'out-color'], setting)).out;
    expect(await out({ stdout: { isTTY: true, columns: 200 } })).toContain('\u001b[');
    expect(await out({ stdout: { isTTY: true, columns: 200 }, env: { NO_COLOR: '1' } })).not.toContain('\u001b');
    expect(await out({})).not.toContain('\u001b');
  });

  it('that says it has no width is taken as wide', async () => {
    expect(
      (await cli(['check', 'm', '--output', 'out-zero'], { stdout: { isTTY: true, columns: 0 }, env: { NO_COLOR: '1' } })).out,
    ).toContain('│');
  });

  it('that is narrow gets lines that fit', async () => {
    const { out } = await cli(['check', 'm', '--output', 'out-narrow'], {
      models: [failing, hostile],
      stdout: { isTTY: true, columns: 50 },
      env: { NO_COLOR: '1' },
    });
    for (const line of out.split('\nreport: ', 1)[0]?.split('\n') ?? []) expect([...line].length).toBeLessThanOrEqual(50);
    expect(out).not.toContain('│');
  });
});

// plan, check --shard and merge on the command line, with a gate that gives a made report; plan.json, parts and exit codes are real.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/program.js';
import type { Verdict } from '../../src/report/types.js';
import { aReport } from '../github/report.js';
import { judgedModel } from '../shards/made.js';
import packageJson from '../../package.json' with { type: 'json' };

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'fused-compat-cli-shards-'));
});
afterAll(() => rm(cwd, { recursive: true }));

async function cli(args: string[], verdict: Verdict = 'COMPATIBLE') {
  const outcome = { code: -1, out: '', err: '' };
  outcome.code = await run(args, {
    stdout: { write: (text) => (outcome.out += text) },
    stderr: { write: (text) => (outcome.err += text) },
    env: {},
    cwd,
    loadGate: async () => ({
      check: async ({ models, policy, fail_on }) => {
        const made = aReport(
          models.map(({ id }) => judgedModel(id, verdict)),
          fail_on,
        );
        return { ...made, policy, tool: { ...made.tool, version: packageJson.version } };
      },
      reference: () => Promise.reject(new Error('not asked for')),
    }),
  });
  return outcome;
}

const MODELS = ['a', 'b', 'c'];
const STATIC = ['--policy', 'static'];

it('plans, checks shard by shard and merges; the gate is the merge', async () => {
  const planned = await cli(['plan', ...MODELS, ...STATIC, '--shards', '2', '--runs-on', 'self-hosted,gpu', '--output', 'parts/plan']);
  expect([planned.code, planned.err]).toEqual([0, '']);
  expect(JSON.parse(planned.out)).toMatchObject({
    include: [
      { shard: 1, models: ['a', 'c'], 'runs-on': ['self-hosted', 'gpu'] },
      { shard: 2, models: ['b'] },
    ],
  });
  const shard = (number: number, verdict: Verdict) =>
    cli(
      ['check', ...MODELS, ...STATIC, '--shard', `${number}/2`, '--plan', 'parts/plan/plan.json', '--output', `parts/${number}`],
      verdict,
    );
  expect((await shard(1, 'COMPATIBLE')).code).toBe(0);
  const half = await cli(['merge', 'parts', '--format', 'json', '--output', 'half']);
  expect(half.code).toBe(1);
  expect(JSON.parse(half.out)).toMatchObject({ models: [{ verdict: 'COMPATIBLE' }, { id: 'b', verdict: 'INCONCLUSIVE' }, { id: 'c' }] });
  expect((await shard(2, 'INCOMPATIBLE')).code).toBe(0);
  const whole = await cli(['merge', 'parts', '--quiet', '--output', 'whole']);
  expect([whole.code, whole.out]).toEqual([1, expect.stringContaining('1 INCOMPATIBLE, 2 COMPATIBLE')]);
  expect((await cli(['merge', 'parts', '--fail-on', 'never', '--output', 'whole'])).code).toBe(0);
  expect(JSON.parse(await readFile(join(cwd, 'whole/report.json'), 'utf8'))).toMatchObject({ gate: 'pass', fail_on: [] });
});

it.each([
  [
    'a shard without its plan',
    ['check', 'a', '--shard', '1/2'],
    'fused-compat-report/plan.json cannot be opened (ENOENT); `fused-compat plan` makes it',
  ],
  ['a plan without a shard', ['check', 'a', '--plan', 'plan.json'], '--plan: tells which models a shard has; give --shard K/N with it'],
  ['a shard that is none', ['check', 'a', '--shard', '2'], '--shard: "2" is not allowed; allowed: K/N, such as 2/4'],
  [
    'a shard that the plan does not have',
    ['check', ...MODELS, ...STATIC, '--shard', '3/2', '--plan', 'parts/plan/plan.json'],
    '--shard: 3/2 is not in parts/plan/plan.json',
  ],
  [
    'another configuration',
    ['check', ...MODELS, '--shard', '1/2', '--plan', 'parts/plan/plan.json'],
    'is not the one that the plan was made with',
  ],
  ['no folder to merge', ['merge', 'none'], '"none" is no folder'],
  ['no folder named', ['merge'], "missing required argument 'FOLDER'"],
  ['a wrong number of shards', ['plan', 'a', '--shards', 'some'], '--shards: "some" is not allowed; allowed: a whole number from 1 to 256'],
  ['kernels that are none', ['plan', 'a', '--kernels', 'none'], 'none'],
])('exits with 2 for %s', async (_what, args, message) => {
  const { code, out, err } = await cli(args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});

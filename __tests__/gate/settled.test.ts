// The main job with a baseline and known failures, on the demo models, under the policy that runs no kernel.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import { check } from '../../src/gate.js';
import type { Report } from '../../src/report/types.js';
import { serializeReport } from '../../src/report/write.js';

const demo = fileURLToPath(new URL('../../examples/models', import.meta.url));
let cwd = '';
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'settled-'));
});
afterAll(() => rm(cwd, { recursive: true }));

async function judged(yaml: string, day = '2026-06-15'): Promise<Report> {
  const models = `models: [${join(demo, 'qwen3-mini')}, ${join(demo, 'tinyllama-mini')}]`;
  await writeFile(join(cwd, 'fused-compat.yml'), `${models}\npolicy: static\noffline: true\n${yaml}`);
  return check(await loadConfig({ cwd }), { env: {}, clock: () => new Date(`${day}T23:59:59Z`) });
}

const rule = `allow:\n  - model: ${join(demo, 'qwen3-mini')}\n    reason: published extremes\n    until: 2026-06-15`;

describe('the gate', () => {
  it('fails on a failure that nothing allows', async () => {
    expect(await judged('')).toMatchObject({
      gate: 'fail',
      baseline: null,
      allow: [],
      models: [{ verdict: 'INCOMPATIBLE', allowed: null }, {}],
    });
  });

  it('passes with a failure that is allowed on that day, whose verdict stays', async () => {
    const report = await judged(rule);
    expect(report).toMatchObject({
      gate: 'pass',
      allow: [{ status: 'used' }],
      models: [{ verdict: 'INCOMPATIBLE', allowed: { until: '2026-06-15' } }, {}],
    });
    expect(() => serializeReport(report)).not.toThrow();
  });

  it('fails again on the next day, and says why', async () => {
    const report = await judged(rule, '2026-06-16');
    expect(report.gate).toBe('fail');
    expect(report.allow[0]).toMatchObject({
      status: 'expired',
      detail: expect.stringMatching(/^expired after 2026-06-15; .*qwen3-mini fails the gate again$/),
    });
  });

  it('compares with the report of another run and passes or fails as without it', async () => {
    const first = await judged('');
    const better: Report = { ...first, models: first.models.map((model) => ({ ...model, verdict: 'COMPATIBLE' as const })) };
    await writeFile(join(cwd, 'base.json'), serializeReport(first));
    await writeFile(join(cwd, 'better.json'), serializeReport(better));
    expect(await judged('baseline: base.json')).toMatchObject({
      gate: 'fail',
      models: [{ baseline: { change: 'same' } }, { baseline: { change: 'same' } }],
    });
    expect(await judged(`baseline: better.json\n${rule}`)).toMatchObject({
      gate: 'pass',
      models: [
        { baseline: { change: 'worse', verdict: 'COMPATIBLE', detail: 'verdict COMPATIBLE → INCOMPATIBLE' } },
        { baseline: { change: 'same' } },
      ],
    });
  });

  it('goes on without a baseline that is not there', async () => {
    const report = await judged('baseline: none.json');
    expect(report).toMatchObject({
      gate: 'fail',
      baseline: { problem: expect.stringContaining('not there') },
      models: [{ baseline: null }, {}],
    });
  });
});

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Event } from '../../src/github/event.js';
import { writeSummary } from '../../src/github/summary.js';
import { aModel, aReport } from './report.js';

const EVENT: Event = {
  name: 'push',
  owner: 'octo-org',
  repo: 'fast.kernels',
  sha: 'a'.repeat(40),
  checkout: 'a'.repeat(40),
  pullRequest: null,
  runUrl: 'https://github.com/octo-org/fast.kernels/actions/runs/77/attempts/3',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fused-compat-summary-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the job summary', () => {
  it('is the report', async () => {
    const file = join(folder, 'summary.md');
    await writeFile(file, '');
    expect(await writeSummary(aReport([aModel('tinyllama-mini', 'COMPATIBLE')]), file)).toBe(true);
    const text = await readFile(file, 'utf8');
    expect(text).toContain('tinyllama-mini');
    expect(text).toContain('COMPATIBLE');
  });

  it('names the commit, and the attempt of the run', async () => {
    const file = join(folder, 'attempt.md');
    await writeSummary(aReport([aModel('a', 'COMPATIBLE')]), file, EVENT);
    expect(await readFile(file, 'utf8')).toContain(`commit ${EVENT.sha} · [run, attempt 3](${EVENT.runUrl ?? ''})</sub>`);
  });

  it('follows what is already there', async () => {
    const file = join(folder, 'used.md');
    await writeFile(file, '# Before');
    await writeSummary(aReport([aModel('a', 'COMPATIBLE')]), file);
    expect(await readFile(file, 'utf8')).toMatch(/^# Before\n\n\S/);
  });

  it('stays within the one megabyte that the runner takes, counting what is already there', async () => {
    const file = join(folder, 'large.md');
    await writeFile(file, 'x'.repeat(1_000_000));
    const models = Array.from({ length: 3000 }, (_, index) => aModel(`org/model-${index}`, 'INCOMPATIBLE', 'é'.repeat(500)));
    await writeSummary(aReport(models), file, EVENT);
    const { size } = await stat(file);
    expect(size).toBeLessThanOrEqual(1024 * 1024);
    expect(size).toBeGreaterThan(1_001_000);
  });

  it('is not written where the runner has none', async () => {
    expect(await writeSummary(aReport([]), undefined)).toBe(false);
    expect(await writeSummary(aReport([]), '')).toBe(false);
  });

  it('says so when it cannot be written', async () => {
    await expect(writeSummary(aReport([]), join(folder, 'no', 'such', 'folder'))).rejects.toThrow(/ENOENT/);
  });
});

// 200 models with 40 kernels each: what fits into a comment and a job summary, and that it can still be read.

import { beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { annotate } from '../../src/github/annotations.js';
import { commentBody } from '../../src/github/comment.js';
import { writeSummary } from '../../src/github/summary.js';
import type { Report } from '../../src/report/types.js';
import { large } from './large.js';

const EVENT = {
  name: 'pull_request',
  owner: 'acme',
  repo: 'kernels',
  sha: 'a'.repeat(40),
  runUrl: 'https://github.example/acme/kernels/actions/runs/1',
  pullRequest: null,
};
const kept = new URL('./documents/large.md', import.meta.url);

describe('a report of 200 models with 40 kernels', () => {
  let report: Report;
  let comment: string;
  beforeAll(() => {
    report = large();
    comment = commentBody(report, 'default', EVENT);
    if (process.env['UPDATE_DOCUMENTS'] === '1') writeFileSync(kept, comment);
  });

  it('is the comment that was reviewed', () => {
    expect(comment).toBe(readFileSync(kept, 'utf8'));
  });

  it('fits into 65,000 bytes and uses them', () => {
    expect(Buffer.byteLength(comment)).toBeLessThanOrEqual(65_000);
    expect(Buffer.byteLength(comment)).toBeGreaterThan(60_000);
  });

  it('has the verdict, a row for every model with failing rows first, the chart, a reason for failing models and the command', () => {
    expect(comment).toContain('\n## ❌ fused-compat gate failed: 100 INCOMPATIBLE, 100 COMPATIBLE\n');
    const rows = [...comment.matchAll(/^\| `example-org\/[^`]+` \| (❌|✅)/gm)].map(([, sign]) => sign);
    expect(rows).toEqual([...Array<string>(100).fill('❌'), ...Array<string>(100).fill('✅')]);
    expect(comment).toContain('```mermaid\n');
    expect(comment.match(/^- ❌ /gm)?.length).toBeGreaterThan(20);
    expect(comment).toMatch(/```sh\nfused-compat check --policy evidence example-org\//);
    // The models that pass are folded below those that fail.
    expect(comment).toMatch(
      /^\| `example-org\/[^\n]*❌[^\n]*\n\n<details><summary>✅ 100 more models are COMPATIBLE<\/summary>\n\n\| model \|/m,
    );
    expect(comment).toMatch(
      /_Shortened to fit\. Here: of 100 failing models, \d+ with details and \d+ with reasons; details of 0 of 100 passing models\. The rest is in the \[summary of the run\]\(https:\/\/github\.example\/acme\/kernels\/actions\/runs\/1\) and report\.json\._/,
    );
  });

  it('says which kernels fail in how many of the models, those in the most first', () => {
    const table = comment.split('**Kernels that fail**\n\n')[1]?.split('\n\n')[0] ?? '';
    const rows = [...table.matchAll(/^\| `acme-([\w-]+)` \| `\w+` \| (\d+) of 200 \| ([\d.]+)× \| `example-org\/[^`]+` \|$/gm)];
    expect(rows.map(([, kernel, models, worst]) => [kernel, Number(models), Number(worst)])).toEqual([
      ['attention-v0', 100, 30],
      ['rms_norm_qkv-v0', 85, 31],
      ['qk_norm_rope-v0', 71, 32],
      ['silu_mul-v0', 56, 33],
      ['add_rms_norm-v0', 42, 34],
      ['attention-v1', 28, 35],
      ['rms_norm_qkv-v1', 14, 36],
    ]);
  });

  it.each([
    ['10,000 signs that all must be escaped', '<|`*@a#1'.repeat(1250)],
    ['long words in another script', '模型'.repeat(5000)],
  ])('with names of %s still has the verdict, rows of failing models, and where the rest is', (_, words) => {
    const models = report.models.map((model, index) => ({
      ...model,
      id: `${index}${words}`,
      reasons: [{ code: 'kernel_fail' as const, message: words }],
    }));
    const text = commentBody({ ...report, models }, 'default', EVENT);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_000);
    expect(Buffer.byteLength(text)).toBeGreaterThan(50_000);
    expect(text).toContain('\n## ❌ fused-compat gate failed: 100 INCOMPATIBLE, 100 COMPATIBLE\n');
    expect(text.match(/^\| .* \| ❌ INCOMPATIBLE \|/gm)?.length).toBeGreaterThanOrEqual(90);
    expect(text).toMatch(/_Shortened to fit.*\[summary of the run\].* and report\.json/);
  });

  it('closes every block that it opens', () => {
    expect(comment.match(/<details>/g)?.length ?? 0).toBe(comment.match(/<\/details>/g)?.length ?? 0);
    expect((comment.match(/^```/gm)?.length ?? 0) % 2).toBe(0);
  });

  it('has a job summary under 1 MiB', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'summary-'));
    const file = join(folder, 'summary.md');
    await writeSummary(report, file);
    expect((await stat(file)).size).toBeLessThanOrEqual(2 ** 20);
    expect((await stat(file)).size).toBeGreaterThan(2 ** 19);
    expect(await readFile(file, 'utf8')).toMatch(/^## ❌ fused-compat gate failed/);
    await rm(folder, { recursive: true });
  });

  it('has at most ten annotations of a kind', () => {
    const given = { error: 0, warning: 0 };
    const failing = { ...report, fail_on: ['INCOMPATIBLE' as const] };
    const warned = {
      ...report,
      models: report.models.map((model, index) => (index % 2 === 1 ? { ...model, verdict: 'WARNING' as const } : model)),
    };
    annotate(
      { ...failing, models: warned.models },
      { error: () => given.error++, warning: () => given.warning++ },
      { errors: 10, warnings: 10 },
    );
    expect(given).toEqual({ error: 10, warning: 10 });
  });
});

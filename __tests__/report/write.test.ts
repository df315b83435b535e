import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderMarkdown } from '../../src/report/markdown.js';
import type { Report } from '../../src/report/types.js';
import { serializeReport, writeReport } from '../../src/report/write.js';
import { kernelResult, modelLevel, modelReport, numericResult, qwenStatic, report } from '../support/report.js';
import { hostile, story } from './sample.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fused-compat-report-'));
});
afterAll(() => rm(root, { recursive: true }));

describe('writeReport', () => {
  it('makes the folder and writes both files, and nothing else', async () => {
    const dir = join(root, 'new/deep');
    const files = await writeReport(story(), dir);
    expect(files).toEqual({ json: join(dir, 'report.json'), markdown: join(dir, 'report.md') });
    expect(JSON.parse(await readFile(files.json, 'utf8'))).toEqual(story());
    expect(await readFile(files.markdown, 'utf8')).toBe(renderMarkdown(story()));
    expect((await readdir(dir)).sort()).toEqual(['report.json', 'report.md']);
  });

  it('replaces an older report', async () => {
    const dir = join(root, 'twice');
    await writeReport(story(), dir);
    const { json } = await writeReport(report([hostile]), dir);
    expect((JSON.parse(await readFile(json, 'utf8')) as Report).models).toHaveLength(1);
  });

  it('names the folder when it cannot be written, and leaves no half file', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(writeReport(story(), join(root, 'file/sub'))).rejects.toThrow(
      `cannot write the report to ${join(root, 'file/sub')}: ENOTDIR`,
    );
    await expect(writeReport(story(), join(root, 'file'))).rejects.toThrow('cannot write the report to');
  });

  it('writes nothing when the report breaks its schema', async () => {
    const dir = join(root, 'never');
    await expect(writeReport(report([modelReport({ static: qwenStatic({ score: NaN }) })]), dir)).rejects.toThrow(
      '/models/0/static/score must be number',
    );
    await expect(readdir(dir)).rejects.toThrow('ENOENT');
  });
});

describe('serializeReport', () => {
  it('gives the same bytes for the same report, whatever the order of its keys', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, entry]) => [key, reversed(entry)]),
      );
    };
    expect(serializeReport(reversed(story()) as Report)).toBe(serializeReport(story()));
  });

  it('writes control and bidirectional characters as escapes, which mean the same', () => {
    const id = 'a\u009b31m\u202e\u2028\u{e0001}b';
    const text = serializeReport(report([modelReport({ id })]));
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}|\u2028/u);
    expect((JSON.parse(text) as Report).models[0]?.id).toBe(id);
  });

  it.each<[string, Report]>([
    ['Infinity', report([modelReport({ numeric: numericResult({ model: modelLevel({ amplification: Infinity }) }) })])],
    ['a share above 1', report([modelReport({ numeric: numericResult({ kernels: [kernelResult({ bitwise_equal: 1.5 })] }) })])],
    ['an unknown key', { ...report([]), extra: 1 } as Report],
    ['a missing key', Object.fromEntries(Object.entries(report([])).filter(([key]) => key !== 'gate')) as unknown as Report],
    ['an unknown verdict', report([modelReport({ verdict: 'FINE' as 'COMPATIBLE' })])],
    ['another version', report([], { schema_version: 2 as 1 })],
  ])('refuses %s', (_, broken) => expect(() => serializeReport(broken)).toThrow('the report breaks its own schema'));
});

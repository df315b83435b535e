import { describe, expect, it } from '@jest/globals';
import { annotate, MAX_ANNOTATIONS } from '../../src/github/annotations.js';
import type { Report } from '../../src/report/types.js';
import { aModel, aReport } from './report.js';

interface Given {
  kind: 'error' | 'warning';
  message: string;
  title: string;
}

function annotations(report: Report, room = { errors: MAX_ANNOTATIONS, warnings: MAX_ANNOTATIONS }): Given[] {
  const given: Given[] = [];
  annotate(
    report,
    {
      error: (message, { title }) => given.push({ kind: 'error', message, title }),
      warning: (message, { title }) => given.push({ kind: 'warning', message, title }),
    },
    room,
  );
  return given;
}

function many(count: number): Report {
  return aReport(Array.from({ length: count }, (_, index) => aModel(`model-${index}`, 'INCOMPATIBLE')));
}

describe('annotations', () => {
  it('are errors for verdicts that fail the gate, warnings for other doubts, none for COMPATIBLE', () => {
    const report = aReport([aModel('a', 'INCOMPATIBLE', 'K is wrong'), aModel('b', 'WARNING', 'K is large'), aModel('c', 'COMPATIBLE')]);
    expect(annotations(report)).toEqual([
      { kind: 'error', title: 'fused-compat: INCOMPATIBLE', message: 'a\nK is wrong' },
      { kind: 'warning', title: 'fused-compat: WARNING', message: 'b\nK is large' },
    ]);
  });

  it('are warnings for failures that are allowed', () => {
    const allowed = { reason: 'known', until: '2026-12-31', kernels: null };
    const report = aReport([{ ...aModel('a', 'INCOMPATIBLE'), allowed }, aModel('b', 'INCOMPATIBLE')]);
    expect(annotations(report).map(({ kind, message }) => [kind, message[0]])).toEqual([
      ['error', 'b'],
      ['warning', 'a'],
    ]);
  });

  it('follow fail-on: a verdict that may pass is only a warning, one that may not is an error', () => {
    expect(annotations(aReport([aModel('a', 'INCOMPATIBLE')], [])).map(({ kind }) => kind)).toEqual(['warning']);
    expect(annotations(aReport([aModel('a', 'WARNING')], ['WARNING'])).map(({ kind }) => kind)).toEqual(['error']);
  });

  it('are ten at most, and the last one names all the rest', () => {
    expect(annotations(many(10))).toHaveLength(10);
    const given = annotations(many(13));
    expect(given).toHaveLength(10);
    expect(given[9]?.message).toBe(
      '4 more models\nmodel-9: INCOMPATIBLE\nmodel-10: INCOMPATIBLE\nmodel-11: INCOMPATIBLE\nmodel-12: INCOMPATIBLE',
    );
  });

  it('keep to the room that other annotations left', () => {
    expect(annotations(many(3), { errors: 2, warnings: 10 }).map(({ message }) => message.split('\n')[0])).toEqual([
      'model-0',
      '2 more models',
    ]);
    expect(annotations(many(3), { errors: 0, warnings: 10 })).toEqual([]);
  });

  it('are cut to what the runner keeps', () => {
    const [given] = annotations(aReport([aModel('a', 'INCOMPATIBLE', 'x'.repeat(5000))]));
    expect(given?.message).toHaveLength(4096);
    expect(given?.message.endsWith('x…')).toBe(true);
  });

  it('give a hostile name no line, no command and no control sequence', () => {
    const [given] = annotations(aReport([aModel('a\n::error::pwned\u001b[31m', 'INCOMPATIBLE', '##[error]x\r::y::')]));
    expect(given?.message).toBe('a ::error::pwned [31m\n## [error]x ::y::');
  });
});

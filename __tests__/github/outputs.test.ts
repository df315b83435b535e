import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { NO_REPORT, outputsOf } from '../../src/github/outputs.js';
import { aModel, aReport } from './report.js';

const action = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as {
  outputs: Record<string, unknown>;
};

describe('outputs', () => {
  it('are those of action.yml, with and without a report', () => {
    const names = Object.keys(action.outputs).sort();
    expect(Object.keys(NO_REPORT).sort()).toEqual(names);
    expect(Object.keys(outputsOf(aReport([]), null)).sort()).toEqual(names);
  });

  it('count the verdicts and name the worst', () => {
    const models = [
      aModel('a', 'WARNING'),
      aModel('b', 'INCONCLUSIVE'),
      aModel('c', 'COMPATIBLE'),
      aModel('d', 'WARNING'),
      aModel('e', 'IMPLEMENTATION_ISSUE'),
    ];
    expect(outputsOf(aReport(models), { json: '/r/report.json', markdown: '/r/report.md' })).toEqual({
      verdict: 'IMPLEMENTATION_ISSUE',
      gate: 'fail',
      'report-json': '/r/report.json',
      matrix: '',
      plan: '',
      'report-markdown': '/r/report.md',
      models: '5',
      compatible: '1',
      warning: '2',
      incompatible: '0',
      'implementation-issue': '1',
      inconclusive: '1',
    });
    expect(outputsOf(aReport([aModel('c', 'COMPATIBLE')]), { json: 'j', markdown: 'm' })).toMatchObject({
      verdict: 'COMPATIBLE',
      gate: 'pass',
    });
  });

  it('have no paths and fail the gate when the report could not be written', () => {
    expect(outputsOf(aReport([aModel('a', 'COMPATIBLE')]), null)).toMatchObject({
      verdict: 'COMPATIBLE',
      gate: 'fail',
      'report-json': '',
      'report-markdown': '',
    });
  });

  it('fail the gate while there is no report', () => {
    expect(NO_REPORT).toMatchObject({ gate: 'fail', verdict: '', models: '' });
  });
});

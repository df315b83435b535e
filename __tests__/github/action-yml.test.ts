// docs/action.md is checked against action.yml, so that neither tells of an input that the other lacks.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import {
  readCache,
  readConfigInputs,
  readHubToken,
  readMergeInputs,
  readMode,
  readPosting,
  readReferenceCache,
  readShard,
} from '../../src/github/inputs.js';

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

const action = parse(read('action.yml')) as {
  inputs: Record<string, { default?: string }>;
  outputs: Record<string, unknown>;
  runs: unknown;
};
const docs = read('docs/action.md');

/** Names in the first column of the table below a heading. */
function documented(heading: string): string[] {
  const section = docs.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const cells = section.split('\n').flatMap((line) => /^\| (`.+?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name));
}

describe('action.yml', () => {
  it('has no default but the token, so that the config file can set what an input leaves open', () => {
    const defaults = Object.entries(action.inputs).filter(([, input]) => input.default !== undefined);
    expect(defaults.map(([name, input]) => [name, input.default])).toEqual([['github-token', '${{ github.token }}']]);
  });

  it('runs the bundle on Node 24', () => {
    expect(action.runs).toEqual({ using: 'node24', main: 'dist/action.js' });
  });

  it('has the inputs that are read, and no other', () => {
    const asked = new Set(['github-token']);
    const getInput = (name: string): string => {
      asked.add(name);
      return '';
    };
    readPosting(getInput);
    readConfigInputs(getInput);
    readHubToken(getInput);
    readCache(getInput, {});
    readReferenceCache(getInput, {}, '/', false);
    readShard(getInput, readMode(getInput));
    readMergeInputs(getInput);
    expect([...asked].sort()).toEqual(Object.keys(action.inputs).sort());
  });

  it('and its documentation list the same inputs and outputs', () => {
    expect(documented('Inputs').sort()).toEqual(Object.keys(action.inputs).sort());
    expect(documented('Outputs').sort()).toEqual(Object.keys(action.outputs).sort());
  });
});

describe('the workflows in docs/action.md', () => {
  const blocks = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => parse(text) as unknown);

  it('give the Action only inputs that it has', () => {
    const text = JSON.stringify(blocks);
    const used = [...text.matchAll(/"uses":"OWNER\/fused-compat@v1"(?:,"id":"\w+")?(?:,"with":(\{.*?\}))?/g)];
    expect(used.length).toBeGreaterThanOrEqual(2);
    const inputs = used.flatMap(([, given = '{}']) => Object.keys(JSON.parse(given) as object));
    expect(inputs.filter((name) => !(name in action.inputs))).toEqual([]);
    expect(inputs.length).toBeGreaterThan(0);
  });

  it('read only outputs that it has', () => {
    const read = [...docs.matchAll(/steps\.compat\.outputs\.([\w-]+)/g)].map(([, name = '']) => name);
    expect(read.filter((name) => !(name in action.outputs))).toEqual([]);
    expect(read.length).toBeGreaterThan(0);
  });
});

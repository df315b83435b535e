// The tables of faults name tests: each one must be there, and each of the 95 faults must be in a table.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { REPOSITORY } from '../weights/made-files.js';
import { hasTitle } from './titles.js';

const DOCUMENTS = ['docs/reliability.md', 'docs/reliability-formats.md'];

interface Row {
  readonly faults: readonly number[];
  readonly tests: string;
  /** Test files that the row may mean: those of its section's heading and those that its table names. */
  readonly candidates: readonly string[];
}

/** Paths of the test files that a text names, by path or by name in one of the folders of weights and hub. */
function filesIn(text: string): string[] {
  return [...text.matchAll(/`([\w./-]*\.test\.ts|__tests__\/\w+)`/g)].flatMap(([, name = '']) => {
    if (!name.endsWith('.ts'))
      return readdirSync(join(REPOSITORY, name)).flatMap((file) => (file.endsWith('.test.ts') ? [join(name, file)] : []));
    if (name.includes('/')) return [name];
    const found = ['weights', 'hub'].map((folder) => join('__tests__', folder, name)).filter((path) => existsSync(join(REPOSITORY, path)));
    expect([name, found.length]).toEqual([name, 1]);
    return found;
  });
}

function rowsOf(document: string): Row[] {
  const sections = readFileSync(join(REPOSITORY, document), 'utf8').split(/^(?=## )/m);
  return sections.flatMap((section) => {
    const lines = section.split('\n');
    const cells = lines.filter((line) => /^\| *\d/.test(line)).map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
    const named = [...filesIn(lines[0] ?? ''), ...cells.flatMap((row) => filesIn(row.at(-2) ?? ''))];
    return cells.map((row) => ({
      faults: (row[1] ?? '').split(',').map(Number),
      tests: row.at(-2) ?? '',
      candidates: [...new Set(named)],
    }));
  });
}

const rows = DOCUMENTS.flatMap((document) =>
  rowsOf(document).map((row) => [`${basename(document)} ${row.faults.join(', ')}: ${row.tests}`, row] as const),
);

describe('the tables of faults', () => {
  test('have all 95', () => {
    const listed = new Set(rows.flatMap(([, { faults }]) => faults));
    // 63 and 64 are the tokenizers', as the page says.
    expect(Array.from({ length: 95 }, (_, index) => index + 1).filter((fault) => !listed.has(fault))).toEqual([63, 64]);
    expect(readFileSync(join(REPOSITORY, 'docs/reliability.md'), 'utf8')).toContain('(63, 64) in `__tests__/tokenizer`');
  });

  test.each(rows)('%s', (_, { tests, candidates }) => {
    let inFiles = candidates;
    let named = 0;
    for (const [whole, file, title] of tests.matchAll(/`([^`]+)`|"([^"]+)"/g)) {
      if (file !== undefined) {
        inFiles = filesIn(whole);
        expect(inFiles.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
      } else if (!inFiles.some((path) => hasTitle(path, title ?? ''))) {
        throw new Error(`no test "${title ?? ''}" in ${inFiles.join(', ')}`);
      }
      named++;
    }
    expect(named).toBeGreaterThan(0);
  });
});

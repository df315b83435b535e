// docs/action-behaviour.md names tests: each must be there, for each of the 33 complaints.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { REPOSITORY } from '../weights/made-files.js';
import { hasTitle } from './titles.js';

const lines = readFileSync(join(REPOSITORY, 'docs/action-behaviour.md'), 'utf8').split('\n');
const rows = lines
  .filter((line) => /^\| *\d/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, number = '', complaint = '', behaviour = '', tests = '']) => ({ number: Number(number), complaint, behaviour, tests }));

/** Each test that a cell names: the path of its file comes first, then its titles in quotes. */
function namedTests(cell: string): { file: string; title: string }[] {
  return cell.split('; ').flatMap((part) => {
    const file = /^`([\w./-]+\.test\.ts)`, /.exec(part)?.[1] ?? `no test file at the start of: ${part}`;
    return [...part.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title }));
  });
}

describe('the page of complaints', () => {
  test('has all 33, in order', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 33 }, (_, index) => index + 1));
  });

  test.each(rows.map((row) => [row.number, row] as const))(
    'says of complaint %i what is done, and names tests that are there',
    (_, row) => {
      expect(row.complaint.length).toBeGreaterThan(20);
      expect(row.behaviour.length).toBeGreaterThan(10);
      const named = namedTests(row.tests);
      expect(named.length).toBeGreaterThan(0);
      const missing = named.filter(({ file, title }) => !existsSync(join(REPOSITORY, file)) || !hasTitle(file, title));
      expect(missing).toEqual([]);
    },
  );
});

test('no test replaces a module', () => {
  const files = readdirSync(join(REPOSITORY, '__tests__'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const replacing = files.filter((name) =>
    /jest\.(?:unstable_)?(?:mock|mockModule|doMock)\(/.test(readFileSync(join(REPOSITORY, '__tests__', name), 'utf8')),
  );
  expect(replacing).toEqual([]);
  expect(files.length).toBeGreaterThan(50);
});

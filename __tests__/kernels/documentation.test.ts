// docs/kernels.md says what src/kernels does.

import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import schema from '../../schemas/kernel.schema.json' with { type: 'json' };
import { SHIPPED_KERNELS } from '../../src/kernels/shipped.js';

const MARKDOWN = readFileSync(new URL('../../docs/kernels.md', import.meta.url), 'utf8');

/** Rows of the tables below a heading: the first cell without its backticks, then the others. */
function table(heading: string): Map<string, string[]> {
  const section = MARKDOWN.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows
      .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
      .map((cells) => [(cells[1] ?? '').replaceAll('`', ''), cells.slice(2, -1)]),
  );
}

describe('docs/kernels.md', () => {
  test('and the schema name the contracts as the code has them', () => {
    const script = fileURLToPath(new URL('../../scripts/contracts.mjs', import.meta.url));
    expect(spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  test('explains every key of the manifest', () => {
    expect([...table('The manifest').keys()]).toEqual(Object.keys(schema.definitions.onnxruntime.properties));
  });

  test('lists the shipped kernels with their op and operator', () => {
    const listed = [...table('The shipped kernels')].map(([name, [op, operator]]) => [name, op, operator]);
    const shipped = SHIPPED_KERNELS.map((kernel) => [
      kernel.name,
      `\`${kernel.op}\``,
      `\`${kernel.backend === 'onnxruntime' ? (kernel.operator ?? '') : ''}\``,
    ]);
    expect(listed.sort()).toEqual(shipped.sort());
  });
});

// docs/kernels.md says what src/kernels does.

import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import schema from '../../schemas/kernel.schema.json' with { type: 'json' };
import { CONTRACTS } from '../../src/kernels/contracts.js';
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

/** `q [T,Nq,D], bias? [B]` → `q`, `bias?`. */
const names = (cell = '') => [...cell.matchAll(/([a-z_]+\??)(?: \[[^\]]*\])?(?:, |$)/g)].map(([, name]) => name);

describe('docs/kernels.md', () => {
  const contracts = table('Contracts');

  test('has a row for every contract and for nothing else', () => {
    expect([...contracts.keys()]).toEqual([...CONTRACTS.keys()]);
  });

  test.each([...CONTRACTS])('gives the inputs, attributes and outputs of %s', (op, contract) => {
    const [inputs, attributes, outputs] = contracts.get(op) ?? [];
    expect(names(inputs)).toEqual(contract.inputs.map(({ name, optional }) => (optional ? `${name}?` : name)));
    expect(names(attributes)).toEqual(contract.attributes.map(({ name }) => name));
    expect(names(outputs)).toEqual(contract.outputs.map(({ name }) => name));
  });

  test('explains every key of the manifest', () => {
    expect([...table('The manifest').keys()]).toEqual(Object.keys(schema.properties));
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

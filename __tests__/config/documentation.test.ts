import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  $ref?: string;
  anyOf?: Schema[];
  description?: string;
  default?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** The cells of the table row of each name, by name. */
function tableRows(markdown: string): Map<string, string[]> {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      return [(cells[1] ?? '').replaceAll('`', ''), cells.slice(2, -1)] as const;
    }),
  );
}

describe('docs/configuration.md', () => {
  const schema = JSON.parse(read('schemas/config.schema.json')) as Schema;
  const rows = tableRows(read('docs/configuration.md'));
  const keys = Object.entries(schema.properties ?? {}).flatMap(([key, entry]) =>
    entry.type === 'object' ? Object.entries(entry.properties ?? {}) : [[key, entry] as const],
  );

  it.each(keys)('documents %s with its default and the description of the schema', (key, entry) => {
    const [, byDefault, description] = rows.get(key) ?? [];
    expect(description?.replaceAll('\\', '')).toBe(entry.description);
    const shown = [entry.default].flat().map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
    expect(byDefault?.replaceAll('`', '')).toBe(entry.default === undefined ? '' : shown.join(', '));
  });

  it('documents no key that is not there', () => {
    expect([...rows.keys()].sort()).toEqual(keys.map(([key]) => key).sort());
  });
});

describe('docs/report.md', () => {
  const schema = JSON.parse(read('schemas/report.schema.json')) as Schema;
  const sections = new Map(
    read('docs/report.md')
      .split(/^## /m)
      .map((section) => [section.split('\n', 1)[0] ?? '', tableRows(section)] as const),
  );
  const objects: [string, Schema][] = [
    ['Report', schema],
    ...Object.entries(schema.definitions ?? {}).filter(([, entry]) => entry.properties !== undefined),
  ];

  it.each(objects)('documents every field of %s, and no other', (name, entry) => {
    const fields = (node: Schema, path: string): string[] =>
      Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
        path + key,
        ...fields(child, `${path}${key}.`),
        ...fields(child.items ?? {}, `${path}${key}[].`),
      ]);
    expect([...(sections.get(name)?.keys() ?? [])].sort()).toEqual(fields(entry, '').sort());
  });

  /** The values that a field may have by name, wherever the schema lists them. */
  function valuesOf(node: Schema): unknown[] {
    const target = node.$ref === undefined ? undefined : schema.definitions?.[node.$ref.slice('#/definitions/'.length)];
    const inner = [...(target === undefined ? [] : [target]), ...(node.anyOf ?? []), ...(node.items === undefined ? [] : [node.items])];
    return [...(node.enum ?? []), ...inner.flatMap(valuesOf)].filter((value) => value !== null);
  }

  it.each(objects)('lists every value that a field of %s may have, and no other', (name, entry) => {
    const fields = Object.entries(entry.properties ?? {}).map(([key, node]) => [key, valuesOf(node)] as const);
    const listed = fields
      .filter(([, values]) => values.length > 0)
      .map(([key, values]): [string, unknown[], unknown[]] => {
        const words = [...(sections.get(name)?.get(key)?.[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, word]) => word);
        return [key, words.filter((word) => word !== 'null'), values];
      });
    for (const [key, words, values] of listed) expect([key, ...words]).toEqual([key, ...values]);
  });
});

describe('docs/static-check.md', () => {
  const sources = [...readdirSync(new URL('../../src/checker', import.meta.url)).map((file) => `src/checker/${file}`), 'src/models.ts'].map(
    read,
  );
  const section = /^## Findings$.*?(?=^## )/ms.exec(read('docs/static-check.md'))?.[0] ?? '';
  const documented = [...tableRows(section).keys()].filter((code) => code !== 'code');

  it('lists every finding, and none that is not there', () => {
    const made = sources.flatMap((text) => [...text.matchAll(/(?:code: |finding\()'(\w+)'/g)].map(([, code = '']) => code));
    expect(made.length).toBeGreaterThan(10);
    // models.ts makes a reason too.
    expect(made.filter((code) => code !== 'internal_error' && !documented.includes(code))).toEqual([]);
    expect(documented.filter((code) => !sources.some((text) => text.includes(`'${code}'`)))).toEqual([]);
  });
});

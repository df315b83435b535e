import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

// The types of src/report/types.ts, read by the TypeScript compiler, against schemas/report.schema.json: neither may know what the other does not.

interface Schema {
  $ref?: string;
  description?: string;
  type?: string | string[];
  enum?: string[];
  const?: unknown;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  definitions?: Record<string, Schema>;
}

const file = fileURLToPath(new URL('../../src/report/types.ts', import.meta.url));
const schema = JSON.parse(readFileSync(new URL('../../schemas/report.schema.json', import.meta.url), 'utf8')) as Schema;
const program = ts.createProgram([file], { strict: true, module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
const checker = program.getTypeChecker();

function follow(node: Schema): Schema {
  const name = node.$ref?.replace('#/definitions/', '');
  return name === undefined ? node : (schema.definitions?.[name] ?? {});
}

/** A schema as a canonical text, in the words of `typeShape`. */
function schemaShape(given: Schema): string {
  const node = follow(given);
  if (node.anyOf !== undefined) return union(node.anyOf.map(schemaShape));
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return union(node.enum.map((value) => JSON.stringify(value)));
  return union([node.type ?? '?'].flat().map((type) => simpleShape(type, node)));
}

function simpleShape(type: string, node: Schema): string {
  if (type === 'array') return `[${schemaShape(node.items ?? {})}]`;
  if (type !== 'object') return type === 'integer' ? 'number' : type;
  if (typeof node.additionalProperties === 'object') return `{*: ${schemaShape(node.additionalProperties)}}`;
  expect(node.additionalProperties).toBe(false);
  const optional = (key: string): string => (node.required?.includes(key) === true ? key : `${key}?`);
  return shapeOfFields(Object.entries(node.properties ?? {}).map(([key, value]) => [optional(key), schemaShape(value)]));
}

function typeShape(type: ts.Type): string {
  if (type.flags & ts.TypeFlags.Boolean) return 'boolean';
  if (type.isUnion()) return union(type.types.map(typeShape));
  if (type.isLiteral()) return JSON.stringify(type.value);
  if (!(type.flags & ts.TypeFlags.Object)) return checker.typeToString(type);
  if (checker.isArrayType(type)) return `[${typeShape(checker.getTypeArguments(type as ts.TypeReference)[0] as ts.Type)}]`;
  const index = type.getStringIndexType();
  if (index !== undefined) return `{*: ${typeShape(index)}}`;
  return shapeOfFields(
    type.getProperties().map((property) => {
      const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      const shape = checker.getTypeOfSymbol(property);
      return [optional ? `${property.name}?` : property.name, typeShape(optional ? checker.getNonNullableType(shape) : shape)];
    }),
  );
}

function shapeOfFields(fields: [string, string][]): string {
  return `{${fields
    .map(([key, shape]) => `${key}: ${shape}`)
    .sort()
    .join(', ')}}`;
}

/** `true | false` is how the compiler sees a boolean inside a union. */
function union(shapes: string[]): string {
  return [...new Set(shapes.map((shape) => (/^(true|false)$/.test(shape) ? 'boolean' : shape)))].sort().join(' | ');
}

function declared(name: string): ts.Type {
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  const symbol = module && checker.getExportsOfModule(module).find((entry) => entry.name === name);
  if (symbol === undefined) throw new Error(`src/report/types.ts exports no ${name}`);
  return checker.getDeclaredTypeOfSymbol(symbol);
}

describe('report.schema.json', () => {
  // Diagnosis entries are `Reason` or a bare code and message; the schema holds the wider of the two.
  const comparable = (shape: string): string => shape.replace(/diagnosis: \[[^\]]*\](?: \| \[[^\]]*\])?/, 'diagnosis: …');
  // These two stand inside KernelResult in types.ts, without a name.
  const named = Object.keys(schema.definitions ?? {}).filter((name) => name !== 'Probe' && name !== 'UlpHistogram');

  it.each(named)('defines %s as src/report/types.ts does', (name) => {
    expect(comparable(schemaShape(schema.definitions?.[name] ?? {}))).toBe(comparable(typeShape(declared(name))));
  });

  it('defines the whole report as src/report/types.ts does', () => {
    expect(comparable(schemaShape(schema))).toBe(comparable(typeShape(declared('Report'))));
  });

  it('describes every field', () => {
    const bare: string[] = [];
    const visit = (node: Schema, path: string): void => {
      if (node.properties === undefined) return;
      for (const [key, child] of Object.entries(node.properties)) {
        if ((child.description ?? follow(child).description) === undefined) bare.push(`${path}.${key}`);
        visit(child, `${path}.${key}`);
      }
    };
    visit(schema, 'report');
    for (const [name, node] of Object.entries(schema.definitions ?? {})) visit(node, name);
    expect(bare).toEqual([]);
  });
});

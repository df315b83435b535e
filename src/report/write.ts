// report.json and report.md on disk. A report that breaks its own schema is a defect of this program and is never written.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import schema from '../../schemas/report.schema.json' with { type: 'json' };
import { renderMarkdown } from './markdown.js';
import type { Report } from './types.js';

let compiled: ValidateFunction | undefined;

/**
 * The text of report.json: valid by schemas/report.schema.json, keys in the schema's order, so that equal reports are equal bytes.
 * @throws Error when the report breaks the schema, e.g. holds NaN: a defect, not a user's mistake
 */
export function serializeReport(report: Report): string {
  compiled ??= new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
  if (!compiled(report)) {
    const problems = (compiled.errors ?? []).slice(0, 5).map((error) => `${error.instancePath || '/'} ${error.message ?? error.keyword}`);
    throw new Error(`the report breaks its own schema: ${problems.join('; ')}`);
  }
  const text = JSON.stringify(inSchemaOrder(report, schema as Node), null, 2);
  // It may be printed on a terminal: C1 controls and bidirectional marks stay what they are, but are written as escapes.
  const harmless = text.replace(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, (sign) => escapeUnits(sign));
  // The same for `##[`, a command to a GitHub runner.
  return `${harmless.replaceAll('##[', '#\\u0023[')}\n`;
}

function escapeUnits(sign: string): string {
  return Array.from({ length: sign.length }, (_, index) => `\\u${sign.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');
}

/**
 * Writes report.json and report.md into `dir`, which is made if it is not there. Each file is whole or not there.
 * @throws Error when the report breaks its schema, or the folder cannot be written (the message names it)
 */
export async function writeReport(report: Report, dir: string): Promise<{ json: string; markdown: string }> {
  const files = { json: join(dir, 'report.json'), markdown: join(dir, 'report.md') };
  const content = { json: serializeReport(report), markdown: renderMarkdown(report) };
  try {
    await mkdir(dir, { recursive: true });
    await replaceFile(files.json, content.json);
    await replaceFile(files.markdown, content.markdown);
  } catch (error) {
    throw new Error(`cannot write the report to ${dir}: ${(error as NodeJS.ErrnoException).message}`, { cause: error });
  }
  return files;
}

async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

interface Node {
  $ref?: string;
  anyOf?: Node[];
  items?: Node;
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
}

/** Copies a valid value with its keys in the schema's order; keys that are data (recipe names) are sorted. */
function inSchemaOrder(value: unknown, node: Node): unknown {
  const target = resolveNode(node);
  if (Array.isArray(value)) return target.items === undefined ? value : value.map((entry) => inSchemaOrder(entry, target.items ?? {}));
  if (typeof value !== 'object' || value === null) return value;
  const known = target.properties ?? {};
  const entries = value as Record<string, unknown>;
  const keys = target.properties === undefined ? Object.keys(entries).sort() : Object.keys(known);
  return Object.fromEntries(keys.map((key) => [key, inSchemaOrder(entries[key], known[key] ?? {})]));
}

/** Follows a reference; of two alternatives the second is always null, which has no keys to order. */
function resolveNode(node: Node): Node {
  const chosen = node.anyOf?.[0] ?? node;
  const name = chosen.$ref?.replace('#/definitions/', '');
  return name === undefined ? chosen : ((schema.definitions as Record<string, Node>)[name] ?? {});
}

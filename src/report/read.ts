// JSON files that others wrote, such as the reports in an artifact: read with bounds, checked against a schema. Nothing in them is believed yet.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import reportSchema from '../../schemas/report.schema.json' with { type: 'json' };
import type { Report } from './types.js';

/** A report of 200 models with 40 kernels each has some 20 MB. */
export const REPORT_BYTES = 64 * 2 ** 20;

/** Why a file is not used, as the end of a sentence that starts with its name. */
export class FileProblem extends Error {
  override readonly name = 'FileProblem';
}

/**
 * The JSON of a regular file of at most `limit` bytes. A link is not followed and a pipe not waited for.
 * @returns its value and its bytes
 * @throws FileProblem
 */
export async function readJsonFile(path: string, limit: number): Promise<{ value: unknown; bytes: Buffer }> {
  const bytes = await readBytes(path, limit);
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), bytes };
  } catch {
    throw new FileProblem('is not JSON in UTF-8');
  }
}

async function readBytes(path: string, limit: number): Promise<Buffer> {
  // Windows has neither flag: there they are undefined, which counts as 0.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new FileProblem(code === 'ELOOP' ? 'is a link: not followed' : `cannot be opened (${code})`);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FileProblem('is not a regular file');
    if (stats.size > limit) throw new FileProblem(`has ${stats.size} bytes; at most ${limit} are read`);
    const bytes = Buffer.alloc(stats.size);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    throw error instanceof FileProblem ? error : new FileProblem(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  } finally {
    await handle.close();
  }
}

let compiled: ValidateFunction<Report> | undefined;

/**
 * `value` as a report, if it is one by schemas/report.schema.json.
 * @throws FileProblem
 */
export function asReport(value: unknown): Report {
  compiled ??= schemaCheck<Report>(reportSchema);
  return checked(value, compiled, 'a report');
}

/** A validator that stops at the first problem: hostile input could have millions. */
export function schemaCheck<T>(schema: object): ValidateFunction<T> {
  return new Ajv({ allErrors: false, allowUnionTypes: true }).compile<T>(schema);
}

/** @throws FileProblem that names the first breach */
export function checked<T>(value: unknown, validate: ValidateFunction<T>, what: string): T {
  if (validate(value)) return value;
  const [error] = validate.errors ?? [];
  throw new FileProblem(`is not ${what}: ${error?.instancePath || 'it'} ${error?.message ?? 'breaks the schema'}`);
}

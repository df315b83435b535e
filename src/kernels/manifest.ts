// Finds and validates kernel.json files. What a manifest's backend does with it is the backend's.

import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { Ajv } from 'ajv';
import schema from '../../schemas/kernel.schema.json' with { type: 'json' };
import { UsageError } from '../errors.js';
import { printable, quote } from '../hub/names.js';
import type { ServingDtype } from '../report/types.js';

export interface KernelManifest {
  readonly name: string;
  readonly op: string;
  readonly dtypes: readonly ServingDtype[];
  readonly backend: 'onnxruntime';
  /** A fused operator of ONNX Runtime ... */
  readonly operator?: string;
  /** ... or the absolute path of the user's ONNX file. */
  readonly model?: string;
}

/** Deep enough for any layout of a kernel repository; keeps a symlinked or hostile tree from being walked for ever. */
const MAX_DEPTH = 8;
const MAX_MANIFESTS = 1000;
const MAX_MANIFEST_BYTES = 2 ** 20;
const SKIPPED = new Set(['node_modules', '.git', 'build', 'dist']);

const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile<KernelManifest>(schema);

/**
 * Reads every `kernel.json` below a folder, in order of their paths.
 * @throws UsageError naming file, key and what is allowed, for all wrong manifests at once
 */
export async function loadManifests(folder: string): Promise<KernelManifest[]> {
  const files = await findManifests(folder);
  if (files.length === 0) throw new UsageError(`kernels: no kernel.json below ${quote(folder)}; see docs/kernels.md for the manifest`);
  const problems: string[] = [];
  const manifests: KernelManifest[] = [];
  const seen = new Map<string, string>();
  for (const file of files) {
    const shown = printable(relative(folder, file));
    const manifest = await readManifest(file, shown, problems);
    if (manifest === null) continue;
    const other = seen.get(manifest.name);
    if (other !== undefined) problems.push(`${shown}: name ${quote(manifest.name)} is also the name of ${other}; names must differ`);
    seen.set(manifest.name, shown);
    manifests.push(manifest);
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return manifests;
}

async function findManifests(folder: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isFile() && entry.name === 'kernel.json') found.push(join(path, entry.name));
      else if (entry.isDirectory() && depth < MAX_DEPTH && !SKIPPED.has(entry.name)) await visit(join(path, entry.name), depth + 1);
      if (found.length > MAX_MANIFESTS)
        throw new UsageError(`kernels: more than ${MAX_MANIFESTS} kernel.json files below ${quote(folder)}; name a smaller folder`);
    }
  };
  try {
    await visit(folder, 0);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new UsageError(`kernels: the folder ${quote(folder)} does not exist`);
    if (code === 'ENOTDIR')
      throw new UsageError(`kernels: ${quote(folder)} is a file; name the folder below which the kernel.json files are`);
    throw new UsageError(`kernels: ${quote(folder)} cannot be read (${code ?? 'unknown error'})`);
  }
  return found;
}

async function readManifest(file: string, shown: string, problems: string[]): Promise<KernelManifest | null> {
  let parsed: unknown;
  try {
    if ((await lstat(file)).size > MAX_MANIFEST_BYTES) throw new Error(`larger than ${MAX_MANIFEST_BYTES} bytes`);
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    problems.push(`${shown}: not readable as JSON: ${printable((error as Error).message).slice(0, 200)}`);
    return null;
  }
  if (!validate(parsed)) {
    problems.push(
      ...(validate.errors ?? [])
        // ajv names each branch of "either operator or model" that fails; the one sentence for both is enough.
        .filter(({ schemaPath }) => !schemaPath.startsWith('#/oneOf/'))
        .map((error) => `${shown}: ${explain(error, parsed)}`),
    );
    return null;
  }
  if (parsed.model === undefined) return parsed;
  const model = await containedFile(dirname(file), parsed.model);
  if (model === null) {
    problems.push(`${shown}: model ${quote(parsed.model)} is not a file below the manifest's folder`);
    return null;
  }
  return { ...parsed, model };
}

function explain(error: NonNullable<typeof validate.errors>[number], manifest: unknown): string {
  const key = error.instancePath.slice(1) || 'manifest';
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties')
    return `unknown key ${quote(String(params['additionalProperty']))}; known: ${Object.keys(schema.properties).join(', ')}`;
  if (error.keyword === 'required') return `${String(params['missingProperty'])} is missing`;
  if (error.keyword === 'oneOf') return 'give either operator (one that ONNX Runtime ships) or model (your ONNX file)';
  const value = error.instancePath
    .slice(1)
    .split('/')
    .reduce<unknown>((at, part) => (part === '' ? at : (at as Record<string, unknown>)[part]), manifest);
  const shownValue = printable(JSON.stringify(value)).slice(0, 80);
  if (error.keyword === 'enum') return `${key} is ${shownValue}; it must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
  return `${key} is ${shownValue}; it ${error.keyword === 'pattern' ? (PATTERNS[key] ?? 'is not allowed') : (error.message ?? 'is not allowed')}`;
}

/** The patterns of the schema in words. */
const PATTERNS: Readonly<Record<string, string>> = {
  name: 'must be 1 to 64 letters, digits, dots, underscores and dashes, a letter or digit first',
  model: 'must be the path of an .onnx file',
};

async function containedFile(folder: string, name: string): Promise<string | null> {
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, name));
    return path.startsWith(root + sep) && (await lstat(path)).isFile() ? path : null;
  } catch {
    return null;
  }
}

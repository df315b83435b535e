// Finds and validates kernel.json files. What a manifest's backend does with it is the backend's.

import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Ajv } from 'ajv';
import schema from '../../schemas/kernel.schema.json' with { type: 'json' };
import { UsageError } from '../errors.js';
import { printable, quote } from '../hub/names.js';
import type { ServingDtype } from '../report/types.js';
import { CONTRACTS } from './contracts.js';
import { cudaProblems } from './cuda-manifest.js';

interface ManifestBase {
  readonly name: string;
  readonly op: string;
  readonly dtypes: readonly ServingDtype[];
}

export interface OnnxruntimeManifest extends ManifestBase {
  readonly backend: 'onnxruntime';
  /** A fused operator of ONNX Runtime ... */
  readonly operator?: string;
  /** ... or the absolute path of the user's ONNX file. */
  readonly model?: string;
}

/** Arithmetic over the sizes of a call (src/kernels/expression.ts), or a number. */
export type Expression = string | number;

export interface CudaManifest extends ManifestBase {
  readonly backend: 'cuda';
  /** Absolute paths. At least one is there; `source` beside another is what is used when that does not load. */
  readonly ptx?: string;
  readonly cubin?: string;
  readonly fatbin?: string;
  readonly source?: string;
  readonly entry: string | Readonly<Partial<Record<ServingDtype, string>>>;
  /** Blocks and threads in x, y, z; what is not given is 1. */
  readonly grid: Expression | readonly Expression[];
  readonly block: Expression | readonly Expression[];
  readonly shared_bytes?: Expression;
  /** Contract tensors and `name:type` scalars, in the order of the kernel's parameters. */
  readonly args: readonly string[];
}

export interface CommandManifest extends ManifestBase {
  readonly backend: 'command';
  readonly command: readonly [string, ...string[]];
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** For one call. */
  readonly timeout_s: number;
}

export type KernelManifest = OnnxruntimeManifest | CudaManifest | CommandManifest;

const DEFAULT_TIMEOUT_S = 120;

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
  const root = await repositoryOf(folder);
  const problems: string[] = [];
  const manifests: KernelManifest[] = [];
  const seen = new Map<string, string>();
  for (const file of files) {
    const shown = printable(relative(folder, file));
    const manifest = await readManifest(file, shown, root, problems);
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

async function readManifest(file: string, shown: string, root: string, problems: string[]): Promise<KernelManifest | null> {
  let parsed: unknown;
  try {
    if ((await lstat(file)).size > MAX_MANIFEST_BYTES) throw new Error(`larger than ${MAX_MANIFEST_BYTES} bytes`);
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    problems.push(`${shown}: not readable as JSON: ${printable((error as Error).message).slice(0, 200)}`);
    return null;
  }
  if (!validate(parsed)) {
    const messages = (validate.errors ?? []).filter(saysSomething).map((error) => `${shown}: ${explain(error, parsed)}`);
    problems.push(...new Set(messages));
    return null;
  }
  const wrong = placeless(parsed) ?? (parsed.backend === 'cuda' ? cudaProblems(parsed) : []);
  const placed = await withPaths(parsed, dirname(file), root, wrong);
  problems.push(...wrong.map((problem) => `${shown}: ${problem}`));
  return wrong.length > 0 ? null : placed;
}

/** Ops that a backend has no way to be given: a graph or a kernel has fixed arguments, and the weights of each layer have other names. */
function placeless({ op, backend, ...own }: KernelManifest): string[] | null {
  const standsFor = CONTRACTS.get(op)?.stands_for;
  if (standsFor === 'run' || backend === 'command') return null;
  if (standsFor === 'model' && backend === 'onnxruntime' && 'model' in own) return null;
  return [`op ${op} is not for backend ${backend}${'operator' in own ? ' with an operator' : ''}; give it a program (backend command)`];
}

/** The manifest with absolute paths and every default. */
async function withPaths(manifest: KernelManifest, folder: string, root: string, problems: string[]): Promise<KernelManifest> {
  const file = async (key: string, name: string): Promise<string> => {
    const path = await contained(folder, root, name);
    if (path === null) problems.push(`${key} ${quote(name)} does not exist, or leads outside of the repository`);
    else if (!(await lstat(path)).isFile()) problems.push(`${key} ${quote(name)} is not a file`);
    return path ?? name;
  };
  if (manifest.backend === 'command') {
    const { cwd = '.', env = {}, timeout_s = DEFAULT_TIMEOUT_S } = manifest as Partial<CommandManifest>;
    const path = await contained(folder, root, cwd);
    if (path === null) problems.push(`cwd ${quote(cwd)} does not exist, or leads outside of the repository`);
    else if (!(await lstat(path)).isDirectory()) problems.push(`cwd ${quote(cwd)} is not a folder`);
    return { ...manifest, cwd: path ?? cwd, env, timeout_s };
  }
  const files: Record<string, string> = {};
  for (const key of ['model', 'ptx', 'cubin', 'fatbin', 'source'] as const) {
    const name = (manifest as Partial<Record<typeof key, string>>)[key];
    if (name !== undefined) files[key] = await file(key, name);
  }
  return { ...manifest, ...files };
}

type Problem = NonNullable<typeof validate.errors>[number];

/** ajv also names every branch of an alternative that fails; the sentence for the alternative as a whole is enough. */
function saysSomething({ schemaPath, keyword, params }: Problem): boolean {
  if (keyword === 'if') return false;
  if (/\/(?:oneOf|anyOf)\/\d+\//.test(schemaPath)) return false;
  // Without a backend it cannot be said which keys are known.
  return keyword !== 'required' || params['missingProperty'] !== undefined;
}

function explain(error: Problem, manifest: unknown): string {
  const key = error.instancePath.slice(1).replace(/\//g, '.') || 'manifest';
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties')
    return `unknown key ${quote(String(params['additionalProperty']))}${key === 'manifest' ? `; known: ${knownKeys(manifest)}` : ` in ${key}`}`;
  if (error.keyword === 'required') return `${String(params['missingProperty'])} is missing`;
  if (error.schemaPath === '#/definitions/onnxruntime/oneOf')
    return 'give either operator (one that ONNX Runtime ships) or model (your ONNX file)';
  if (error.schemaPath === '#/definitions/cuda/anyOf') return 'give ptx, cubin, fatbin or source (a .cu file)';
  const value = error.instancePath
    .slice(1)
    .split('/')
    .reduce<unknown>((at, part) => (part === '' ? at : (at as Record<string, unknown>)[part]), manifest);
  const shownValue = printable(JSON.stringify(value)).slice(0, 80);
  if (error.keyword === 'enum') return `${key} is ${shownValue}; it must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
  const [first = ''] = key.split('.');
  const words = error.keyword === 'pattern' || error.keyword === 'oneOf' ? PATTERNS[first] : undefined;
  return `${key} is ${shownValue}; it ${words ?? error.message ?? 'is not allowed'}`;
}

function knownKeys(manifest: unknown): string {
  const { backend } = manifest as { backend?: keyof typeof schema.definitions };
  const own = backend === 'onnxruntime' || backend === 'cuda' || backend === 'command' ? schema.definitions[backend] : schema;
  return Object.keys(own.properties).join(', ');
}

const FILE_WORDS = 'must be the path of a file of the repository, with slashes';
const EXPRESSION_WORDS = 'must be a number or arithmetic over T, H, Nq, Nkv, D, R, S, I (one to three of them for grid and block)';

/** The patterns of the schema in words. */
const PATTERNS: Readonly<Record<string, string>> = {
  name: 'must be 1 to 64 letters, digits, dots, underscores and dashes, a letter or digit first',
  model: 'must be the path of an .onnx file',
  ptx: FILE_WORDS,
  cubin: FILE_WORDS,
  fatbin: FILE_WORDS,
  source: FILE_WORDS,
  entry: 'must be the name of a function, or one for each dtype',
  grid: EXPRESSION_WORDS,
  block: EXPRESSION_WORDS,
  shared_bytes: EXPRESSION_WORDS,
  args: 'must be a contract tensor, or NAME:TYPE with one of i32, u32, i64, u64, f32, f64, bool',
};

/** Real path of something that lies inside the repository, wherever links lead; null: not there, or outside. */
async function contained(folder: string, root: string, name: string): Promise<string | null> {
  try {
    const path = await realpath(resolve(folder, name));
    return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep) ? path : null;
  } catch {
    return null;
  }
}

/** What a manifest may name: the git work tree that holds the kernels folder, or that folder itself where there is none. */
async function repositoryOf(folder: string): Promise<string> {
  const real = await realpath(folder);
  for (let at = real; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return real;
  }
}

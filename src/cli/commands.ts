// What each command does with its options: configuration in, gate, results out. Parsing words is program.ts's business.

import { join, relative, resolve } from 'node:path';
import { loadConfig, loadFailOn } from '../config/load.js';
import type { Config, ModelRef, Prompt } from '../config/types.js';
import { UsageError } from '../errors.js';
import { keptRoot } from '../config/reference-cache.js';
import { plain } from '../report/escape.js';
import type { Report } from '../report/types.js';
import type { Moment } from '../shards/plan.js';

/** As in the configuration schema. */
const DEFAULT_OUTPUT = 'fused-compat-report';
const PLAN_FILE = 'plan.json';

/** The part of a stream that the program uses. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface RunOptions {
  /** Folder in which results of the reference are kept between runs; default: they are not. */
  reference_cache?: string | null;
  /** One line of progress, in plain words. */
  log?: (message: string) => void;
}

export interface ReferenceRequest {
  model: ModelRef;
  prompt: Prompt;
  recipe: 'oracle' | 'eager';
  dtype: Config['dtype'];
  offline: boolean;
  /** Absolute path of the safetensors file to write. */
  output: string;
}

/** What a reference run wrote. */
export interface ReferenceResult {
  tensors: { name: string; dtype: string; shape: readonly number[] }[];
}

/** The jobs that the commands start; src/gate.ts. */
export interface Gate {
  check(config: Config, options: RunOptions): Promise<Report>;
  reference(request: ReferenceRequest, options: RunOptions): Promise<ReferenceResult>;
}

export interface Edges {
  stdout: Output;
  stderr: Output;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Loaded only when a command needs it: `--help` waits for no engine. */
  loadGate: () => Promise<Gate>;
}

export type Format = 'table' | 'json' | 'markdown';

export interface CheckOptions {
  config?: string;
  kernels?: string;
  policy?: string;
  failOn?: string;
  dtype?: string;
  executionProvider?: string;
  requireGpu?: true;
  prompts?: string;
  output?: string;
  layers?: string;
  jobs?: string;
  baseline?: string;
  offline?: true;
  format: Format;
  quiet?: true;
  referenceCache: string;
  shard?: string;
  plan?: string;
}

export interface PlanOptions extends Pick<CheckOptions, 'config' | 'kernels' | 'policy' | 'failOn' | 'dtype'> {
  executionProvider?: string;
  requireGpu?: true;
  prompts?: string;
  layers?: string;
  output?: string;
  offline?: true;
  shards?: string;
  runsOn?: string;
}

export interface MergeOptions {
  failOn?: string;
  baseline?: string;
  output: string;
  format: Format;
  quiet?: true;
}

export type InspectOptions = Pick<CheckOptions, 'config' | 'failOn' | 'output' | 'format' | 'jobs' | 'baseline' | 'offline' | 'quiet'>;

export interface KernelsOptions {
  format: 'table' | 'json';
}

export interface ReferenceOptions {
  prompt?: string;
  inputIds?: string;
  recipe: 'oracle' | 'eager';
  dtype: Config['dtype'];
  output: string;
  offline?: true;
}

/**
 * The main job. Exit code: 1 when the gate fails, 3 when the report could not be written, else 0. A shard has no gate: `merge` decides,
 * so it exits with 0 when its report was written.
 */
export async function check(models: string[], options: CheckOptions, edges: Edges): Promise<number> {
  const config = await loadConfig({
    file: options.config,
    overrides: { ...judging(models, options), output: options.output, jobs: options.jobs, baseline: options.baseline },
    cwd: edges.cwd,
    nameOverride: nameOption,
  });
  if (options.shard !== undefined) return checkShard(config, options.shard, options, edges);
  if (options.plan !== undefined) throw new UsageError('--plan: tells which models a shard has; give --shard K/N with it');
  const report = await judge(config, options, edges);
  return deliver(report, config.output, options, edges);
}

function judge(config: Config, { quiet, referenceCache }: CheckOptions, edges: Edges): Promise<Report> {
  const reference_cache = keptRoot(referenceCache, edges.env, edges.cwd);
  return withProgress(edges, quiet, async (run) => (await edges.loadGate()).check(config, { ...run, reference_cache }));
}

/** Options that decide a verdict, as overrides of the configuration: `plan` and its shards take the same. */
function judging(models: string[], options: PlanOptions | CheckOptions): Record<string, unknown> {
  return {
    models,
    kernels: options.kernels,
    policy: options.policy,
    'fail-on': options.failOn,
    dtype: options.dtype,
    'execution-provider': options.executionProvider,
    'require-gpu': options.requireGpu,
    prompts: options.prompts,
    layers: options.layers,
    offline: options.offline,
  };
}

async function checkShard(config: Config, shard: string, options: CheckOptions, edges: Edges): Promise<number> {
  const { entryFromPlan, shardConfig, stamped, stampOf } = await import('../shards/shard.js');
  const file = options.plan ?? join(DEFAULT_OUTPUT, PLAN_FILE);
  const entry = await entryFromPlan(shard, resolve(edges.cwd, file), file);
  const own = shardConfig(config, entry, edges.cwd);
  const moment = await momentOf(edges);
  const report = await judge(own, options, edges);
  const code = await deliver(stamped(report, stampOf(entry, moment)), config.output, options, edges);
  return code === 1 ? 0 : code;
}

/** Prints the matrix of a plan and writes plan.json, which `check --shard` and `merge` read. */
export async function plan(models: string[], options: PlanOptions, edges: Edges): Promise<number> {
  const overrides = { ...judging(models, options), output: options.output, shards: options.shards, 'runs-on': options.runsOn };
  const config = await loadConfig({ file: options.config, overrides, cwd: edges.cwd, nameOverride: nameOption });
  const { planRun, writePlan } = await import('../shards/plan-run.js');
  const { plan: made, matrix, notes } = await planRun(config, await momentOf(edges), edges.env);
  for (const note of notes) edges.stderr.write(`note: ${plain(note, 2000)}\n`);
  await writePlan(made, config.output);
  edges.stdout.write(`${matrix}\n`);
  return 0;
}

/** Joins the reports of shards; exits by the gate. */
export async function merge(folders: string[], options: MergeOptions, edges: Edges): Promise<number> {
  const failOn = options.failOn === undefined ? null : loadFailOn(options.failOn, '--fail-on');
  const [{ readArrived }, { merge: joinReports }, { readBaseline }] = await Promise.all([
    import('../shards/arrived.js'),
    import('../shards/merge.js'),
    import('../report/baseline.js'),
  ]);
  const { commit } = await momentOf(edges);
  const { report, notes, refused } = joinReports(await readArrived(folders, edges.cwd), {
    commit,
    fail_on: failOn,
    baseline: options.baseline === undefined ? null : await readBaseline(resolve(edges.cwd, options.baseline)),
  });
  for (const note of [...notes, ...refused]) edges.stderr.write(`note: ${plain(note, 2000)}\n`);
  return deliver(report, resolve(edges.cwd, options.output), options, edges);
}

/** In a job of GitHub Actions commit and attempt are the run's; elsewhere nobody names a commit. */
async function momentOf({ cwd, env }: Edges): Promise<Moment> {
  const { attemptOf, readEvent } = await import('../github/event.js');
  const event = await readEvent(env).catch(() => null);
  return { cwd, commit: event?.sha ?? null, attempt: attemptOf(env) };
}

/** The static check alone: `check` under the policy that runs no kernel. Writes no file unless it is told where. */
export async function inspect(models: string[], options: InspectOptions, edges: Edges): Promise<number> {
  const { failOn, output, jobs, baseline, offline } = options;
  const overrides = { models, policy: 'static', 'fail-on': failOn, output, jobs, baseline, offline };
  const config = await loadConfig({ file: options.config, overrides, cwd: edges.cwd, nameOverride: nameOption });
  const report = await withProgress(edges, options.quiet, async (run) => (await edges.loadGate()).check(config, run));
  return deliver(report, options.output === undefined ? null : config.output, options, edges);
}

/** Logits and hidden states of the trusted forward pass, as a safetensors file. */
export async function reference(model: string, options: ReferenceOptions, edges: Edges): Promise<number> {
  const output = resolve(edges.cwd, options.output);
  const request = {
    model: { id: model, path: resolve(edges.cwd, model) },
    prompt: promptOf(options),
    recipe: options.recipe,
    dtype: options.dtype,
    offline: options.offline === true,
    output,
  };
  const { tensors } = await withProgress(edges, undefined, async (run) => (await edges.loadGate()).reference(request, run));
  const lines = tensors.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(', ')}]`);
  edges.stdout.write(`${[...lines, `written to ${options.output}`].map((line) => plain(line)).join('\n')}\n`);
  return 0;
}

/** Lists kernel manifests; a wrong one is a UsageError that names file and key. */
export async function kernels(path: string | undefined, { format }: KernelsOptions, { stdout, cwd }: Edges): Promise<number> {
  const { loadManifests } = await import('../kernels/manifest.js');
  const found = path === undefined ? (await import('../kernels/shipped.js')).SHIPPED_KERNELS : await loadManifests(resolve(cwd, path));
  if (format === 'json') stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else stdout.write((await import('../report/kernels.js')).renderKernels(found));
  return 0;
}

/** How messages name an option. */
function nameOption(key: string): string {
  return key === 'models' ? 'MODEL' : `--${key}`;
}

function promptOf({ prompt, inputIds }: ReferenceOptions): Prompt {
  if ((prompt === undefined) === (inputIds === undefined)) throw new UsageError('give exactly one of --prompt TEXT and --input-ids 1,2,3');
  if (inputIds === undefined) {
    if (prompt === undefined || prompt === '') throw new UsageError('--prompt: "" is empty; allowed: at least one character');
    return { text: prompt };
  }
  const ids = inputIds.split(',').map((id) => id.trim());
  const wrong = ids.find((id) => !/^\d{1,10}$/.test(id) || Number(id) > 2147483647);
  if (wrong !== undefined)
    throw new UsageError(`--input-ids: ${JSON.stringify(wrong)} is not a token id; allowed: whole numbers from 0, separated by commas`);
  return { input_ids: ids.map(Number) };
}

/** Prints first and writes afterwards, so that a folder that cannot be written never hides the verdict. */
async function deliver(report: Report, folder: string | null, options: { format: Format; quiet?: true }, edges: Edges): Promise<number> {
  const { stdout } = edges;
  stdout.write(await rendered(report, options, edges));
  let unwritten = false;
  if (folder !== null) {
    const { writeReport } = await import('../report/write.js');
    try {
      const { markdown } = await writeReport(report, folder);
      if (options.format === 'table' && options.quiet !== true)
        stdout.write(`report: ${plain(shownPath(markdown, edges.cwd), 4096)} and report.json\n`);
    } catch (error) {
      unwritten = true;
      reportError(error, edges);
    }
  }
  if (report.gate === 'fail') return 1;
  return unwritten ? 3 : 0;
}

async function rendered(report: Report, { format, quiet }: { format: Format; quiet?: true }, { stdout, env }: Edges): Promise<string> {
  if (format === 'json') return (await import('../report/write.js')).serializeReport(report);
  if (format === 'markdown') return (await import('../report/markdown.js')).renderMarkdown(report);
  const { renderGateLine, renderTerminal } = await import('../report/terminal.js');
  const terminal = { color: isColorful(stdout, env), columns: stdout.isTTY === true ? widthOf(stdout) : undefined };
  return quiet === true ? renderGateLine(report, terminal) : renderTerminal(report, terminal);
}

/** A pseudo-terminal that nobody sized says 0. */
function widthOf({ columns }: Output): number | undefined {
  return columns === 0 ? undefined : columns;
}

/** https://no-color.org: any value that is not empty means no colour. */
function isColorful(stream: Output, env: Edges['env']): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path);
  return shown.startsWith('..') ? path : shown;
}

/** Progress is one line on stderr that is written over, and gone at the end; only where a person watches. */
async function withProgress<T>({ stderr, env }: Edges, quiet: true | undefined, job: (options: RunOptions) => Promise<T>): Promise<T> {
  if (quiet === true || stderr.isTTY !== true || env['TERM'] === 'dumb') return job({});
  const clear = '\r\u001b[2K';
  const width = Math.max(20, (widthOf(stderr) ?? 80) - 1);
  try {
    return await job({ log: (message) => stderr.write(clear + plain(message, width)) });
  } finally {
    stderr.write(clear);
  }
}

/** One line for each problem that a user can act on; a defect says so in one line, with its stack only when asked. */
export function reportError(error: unknown, { stderr, env }: Pick<Edges, 'stderr' | 'env'>): void {
  const message = error instanceof Error ? error.message : String(error);
  for (const line of message.split('\n')) if (line.trim() !== '') stderr.write(`error: ${plain(line, 2000)}\n`);
  if (env['FUSED_COMPAT_DEBUG'] === '1' && error instanceof Error) stderr.write(`${error.stack ?? ''}\n`);
}
